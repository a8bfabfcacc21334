package limits;

import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import java.util.Map;

/** Checks the paths of an update as MongoDB 5.0 does; the library stores fields that MongoDB refuses. */
final class UpdatePaths {
    private static final int DOLLAR_PREFIXED = 52;
    private static final int EMPTY = 56;

    private UpdatePaths() {
    }

    static void check(Document update) {
        for (Map.Entry<String, Object> operator : update.entrySet()) {
            if (!operator.getKey().startsWith("$") || !(operator.getValue() instanceof Document)) continue;
            for (String path : ((Document) operator.getValue()).keySet()) check(path, operator.getKey());
        }
    }

    private static void check(String path, String operator) {
        for (String name : path.split("\\.", -1)) {
            if (name.isEmpty()) {
                throw new MongoServerError(EMPTY, "EmptyFieldName", path.isEmpty()
                    ? "An empty update path is not valid."
                    : "The update path '" + path + "' contains an empty field name, which is not allowed.");
            }
            // $, $[] and $[name] mean elements of an array; $unset may remove fields that an insert has created
            if (name.startsWith("$") && !name.equals("$") && !name.startsWith("$[") && !operator.equals("$unset")) {
                throw new MongoServerError(DOLLAR_PREFIXED, "DollarPrefixedFieldName",
                    "The dollar ($) prefixed field '" + name + "' in '" + path + "' is not allowed in the context of an update's"
                        + " replacement document. Consider using an aggregation pipeline with $replaceWith.");
            }
        }
    }
}
