package limits;

import de.bwaldvogel.mongo.bson.Document;
import java.util.Map;

/**
 * Values of a {@code $set} as they were sent. The library leaves a value as it is if it takes the new one for the same: -0 and 0, or
 * the same fields in another order. A real MongoDB compares their bytes.
 */
final class ExactSets {
    private ExactSets() {
    }

    /** @param update an update, or a replacement, which has no operators. */
    static void apply(Document update, Document document) {
        if (!(update.get("$set") instanceof Document)) return;
        for (Map.Entry<String, Object> set : ((Document) update.get("$set")).entrySet()) put(document, set.getKey().split("\\."), set.getValue());
    }

    /** Elements of arrays stay as the library has set them. */
    private static void put(Document document, String[] path, Object value) {
        Document at = document;
        for (int step = 0; step < path.length - 1; step++) {
            if (!(at.get(path[step]) instanceof Document)) return;
            at = (Document) at.get(path[step]);
        }
        String name = path[path.length - 1];
        if (at.containsKey(name)) at.put(name, value);
    }
}
