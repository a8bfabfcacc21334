package limits;

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.bson.BinData;
import de.bwaldvogel.mongo.bson.BsonRegularExpression;
import de.bwaldvogel.mongo.bson.Decimal128;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.bson.MaxKey;
import de.bwaldvogel.mongo.bson.MinKey;
import de.bwaldvogel.mongo.bson.ObjectId;
import de.bwaldvogel.mongo.exception.MongoServerError;
import indexes.UnaskedIndex;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * Refuses what a real MongoDB refuses to store: documents over 16 MiB, more than 100 levels, and operators in an {@code _id}.
 * It is an index that finds nothing: the library calls each index of a collection before it changes anything.
 */
public final class DocumentLimits<P> extends UnaskedIndex<P> {
    public static final int MAX_BYTES = 16 * 1024 * 1024;
    /** Bytes above the limit that a server accepts internally, and in a message: a document in this range is refused with another code. */
    static final int INTERNAL_BYTES = 16 * 1024;
    private static final int MAX_LEVELS = 100;

    private static final int BAD_VALUE = 2;
    private static final int OVERFLOW = 15;
    private static final int DOLLAR_PREFIXED = 52;
    private static final int OBJECT_TOO_LARGE = 10_334;
    private static final int UPDATE_TOO_LARGE = 17_419;
    private static final int UPSERT_TOO_LARGE = 17_420;

    /** The running update; null while another command runs. */
    private Document update;

    /** Whether the running command inserts documents as they were sent. Commands of a collection run one after another. */
    private boolean inserts;

    DocumentLimits() {
        super("limits", List.of(new IndexKey("_id", true)), true);
    }

    void inserts(boolean now) {
        inserts = now;
    }

    void updates(Document now) {
        update = now;
    }

    @Override
    public void checkAdd(Document document, MongoCollection<P> collection) {
        checkNames(document);
        checkLevels(document);
        int bytes = sizeOf(document);
        if (bytes <= MAX_BYTES) return;
        if (inserts) {
            throw new MongoServerError(BAD_VALUE, "BadValue",
                "object to insert too large. size in bytes: " + bytes + ", max size: " + MAX_BYTES);
        }
        throw tooLarge(bytes, UPSERT_TOO_LARGE, "Document to upsert is larger than " + MAX_BYTES);
    }

    @Override
    public void checkUpdate(Document before, Document after, MongoCollection<P> collection) {
        if (update != null) ExactSets.apply(update, after);
        checkLevels(after);
        int bytes = sizeOf(after);
        if (bytes > MAX_BYTES) throw tooLarge(bytes, UPDATE_TOO_LARGE, "Resulting document after update is larger than " + MAX_BYTES);
    }

    private static MongoServerError tooLarge(int bytes, int code, String message) {
        return bytes <= MAX_BYTES + INTERNAL_BYTES
            ? new MongoServerError(code, "Location" + code, message)
            : new MongoServerError(OBJECT_TOO_LARGE, "BSONObjectTooLarge", messageOf(bytes));
    }

    static String messageOf(int bytes) {
        return "BSONObj size: " + bytes + " is invalid. Size must be between 0 and " + (MAX_BYTES + INTERNAL_BYTES) + "(16MB)";
    }

    private static void checkNames(Document document) {
        if (!(document.get("_id") instanceof Document)) return;
        for (String name : ((Document) document.get("_id")).keySet()) {
            if (name.startsWith("$")) {
                throw new MongoServerError(DOLLAR_PREFIXED, "DollarPrefixedFieldName",
                    "_id fields may not contain '$'-prefixed fields: " + name + " is not valid for storage.");
            }
        }
    }

    private static void checkLevels(Document document) {
        if (levelsOf(document, 0) > MAX_LEVELS) {
            throw new MongoServerError(OVERFLOW, "Overflow",
                "cannot insert document because it exceeds " + MAX_LEVELS + " levels of nesting");
        }
    }

    /** Stops counting above the limit, so that the recursion is never too deep for the stack. */
    private static int levelsOf(Object value, int above) {
        Collection<?> inside = value instanceof Document ? ((Document) value).values() : value instanceof Collection ? (Collection<?>) value : null;
        if (inside == null || above > MAX_LEVELS) return above;
        int deepest = above + 1;
        for (Object one : inside) deepest = Math.max(deepest, levelsOf(one, above + 1));
        return deepest;
    }

    /** Bytes as BSON. */
    static int sizeOf(Document document) {
        int sum = 5;
        for (Map.Entry<String, Object> field : document.entrySet()) {
            if (field.getValue() instanceof Missing) continue;
            sum += 2 + utf8(field.getKey()) + sizeOfValue(field.getValue());
        }
        return sum;
    }

    private static int sizeOfValue(Object value) {
        if (value instanceof String) return 5 + utf8((String) value);
        if (value instanceof Document) return sizeOf((Document) value);
        if (value instanceof Collection) return sizeOfArray((Collection<?>) value);
        if (value instanceof byte[]) return 5 + ((byte[]) value).length;
        if (value instanceof BinData) return 5 + ((BinData) value).getData().length;
        if (value instanceof UUID) return 21;
        if (value instanceof ObjectId) return 12;
        if (value instanceof Decimal128) return 16;
        if (value instanceof Integer) return 4;
        if (value instanceof Boolean) return 1;
        if (value == null || value instanceof MinKey || value instanceof MaxKey) return 0;
        if (value instanceof BsonRegularExpression) {
            BsonRegularExpression expression = (BsonRegularExpression) value;
            return 2 + utf8(expression.getPattern()) + (expression.getOptions() == null ? 0 : expression.getOptions().length());
        }
        return 8;
    }

    private static int sizeOfArray(Collection<?> values) {
        int sum = 5;
        int index = 0;
        for (Object value : values) sum += 2 + digits(index++) + sizeOfValue(value);
        return sum;
    }

    private static int digits(int number) {
        int count = 1;
        for (int rest = number; rest >= 10; rest /= 10) count++;
        return count;
    }

    private static int utf8(String text) {
        int bytes = text.length();
        for (int index = 0; index < text.length(); index++) {
            char unit = text.charAt(index);
            // the two units of a surrogate pair have four bytes
            if (unit >= 0x800) bytes += Character.isSurrogate(unit) ? 1 : 2;
            else if (unit >= 0x80) bytes += 1;
        }
        return bytes;
    }

    @Override
    public void add(Document document, P position, MongoCollection<P> collection) {
        // This index finds nothing.
    }

    @Override
    public P remove(Document document) {
        return null;
    }

    @Override
    public void updateInPlace(Document before, Document after, P position, MongoCollection<P> collection) {
        // This index finds nothing.
    }

    /** Not empty: otherwise the library would call it for every stored document when it is added. */
    @Override
    public long getCount() {
        return 1;
    }

    @Override
    public void drop() {
        // This index keeps nothing.
    }
}
