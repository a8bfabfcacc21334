package indexes;

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.Utils;
import de.bwaldvogel.mongo.bson.Document;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * A secondary index in memory, over the first field of its definition: value to the ids of the documents that have it, alone
 * or in an array. The library has no such index; it is filled when its collection is opened. Only {@link Narrowed} uses it.
 */
public final class HashIndex<P> extends UnaskedIndex<P> {
    private final String field;
    private final Map<Object, Set<Object>> idsByValue = new HashMap<>();

    public HashIndex(String name, List<IndexKey> keys) {
        // A sparse index may not contain a document: positions are kept by the index of ids.
        super(name, keys, true);
        this.field = keys.get(0).getKey();
    }

    String field() {
        return field;
    }

    Set<Object> idsOf(Object value) {
        return idsByValue.getOrDefault(normalized(value), Set.of());
    }

    @Override
    public synchronized void add(Document document, P position, MongoCollection<P> collection) {
        for (Object value : valuesOf(document)) {
            idsByValue.computeIfAbsent(value, unused -> new HashSet<>()).add(document.get("_id"));
        }
    }

    @Override
    public synchronized P remove(Document document) {
        for (Object value : valuesOf(document)) {
            Set<Object> ids = idsByValue.get(value);
            if (ids != null && ids.remove(document.get("_id")) && ids.isEmpty()) idsByValue.remove(value);
        }
        return null;
    }

    @Override
    public void updateInPlace(Document before, Document after, P position, MongoCollection<P> collection) {
        if (Objects.equals(valuesOf(before), valuesOf(after))) return;
        remove(before);
        add(after, position, collection);
    }

    private Set<Object> valuesOf(Document document) {
        Object found = Utils.getSubdocumentValueCollectionAware(document, field);
        Set<Object> values = new HashSet<>();
        for (Object value : found instanceof Collection ? (Collection<?>) found : java.util.Collections.singleton(found)) {
            if (value != null && !(value instanceof Missing)) values.add(normalized(value));
        }
        return values;
    }

    /** 1, 1L and 1.0 are the same value. */
    private static Object normalized(Object value) {
        return value instanceof Number ? (Object) ((Number) value).doubleValue() : value;
    }

    @Override
    public void checkAdd(Document document, MongoCollection<P> collection) {
        // Two documents may have the same value.
    }

    @Override
    public void checkUpdate(Document before, Document after, MongoCollection<P> collection) {
        // Two documents may have the same value.
    }

    @Override
    public long getCount() {
        return idsByValue.size();
    }

    @Override
    public void drop() {
        idsByValue.clear();
    }
}
