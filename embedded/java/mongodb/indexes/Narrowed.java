package indexes;

import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.bson.BsonRegularExpression;
import de.bwaldvogel.mongo.bson.Document;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Narrows a query down by an index. The library uses an index only if the query names exactly its fields;
 * every guarded write, such as {@code {_id, version}}, would scan its collection.
 */
public final class Narrowed<P> {
    private static final String ID = "_id";
    private static final String IN = "$in";

    public final Iterable<P> positions;
    /** The rest of the query, which is matched on the documents at these positions. */
    public final Document rest;

    private Narrowed(Iterable<P> positions, Document rest) {
        this.positions = positions;
        this.rest = rest;
    }

    /** Null if no index helps. */
    public static <P> Narrowed<P> of(Collection<Index<P>> indexes, Document query) {
        Index<P> ids = idIndex(indexes);
        if (ids == null) return null;
        Collection<?> asked = valuesAskedFor(query.get(ID));
        if (asked != null) {
            Document rest = query.clone();
            rest.remove(ID);
            return new Narrowed<>(positionsOf(ids, asked), rest);
        }
        Set<Object> fewest = null;
        for (Index<P> index : indexes) {
            if (!(index instanceof HashIndex)) continue;
            HashIndex<P> hash = (HashIndex<P>) index;
            Collection<?> values = valuesAskedFor(query.get(hash.field()));
            if (values == null) continue;
            Set<Object> found = new HashSet<>();
            for (Object value : values) found.addAll(hash.idsOf(value));
            if (fewest == null || found.size() < fewest.size()) fewest = found;
        }
        return fewest == null ? null : new Narrowed<>(positionsOf(ids, fewest), query);
    }

    private static <P> Index<P> idIndex(Collection<Index<P>> indexes) {
        for (Index<P> index : indexes) {
            if (index.isUnique() && index.getKeys().size() == 1 && index.getKeys().get(0).getKey().equals(ID)) return index;
        }
        return null;
    }

    /** Plain values that a condition compares with: one, or those of {@code $in}; null for any other condition. */
    private static Collection<?> valuesAskedFor(Object condition) {
        if (isPlain(condition)) return List.of(condition);
        if (!(condition instanceof Document)) return null;
        Document operators = (Document) condition;
        if (operators.size() != 1 || !(operators.get(IN) instanceof Collection)) return null;
        Collection<?> values = (Collection<?>) operators.get(IN);
        return values.stream().allMatch(Narrowed::isPlain) ? values : null;
    }

    private static boolean isPlain(Object value) {
        return value != null && !(value instanceof Document) && !(value instanceof Collection)
            && !BsonRegularExpression.isRegularExpression(value);
    }

    private static <P> Iterable<P> positionsOf(Index<P> ids, Collection<?> wanted) {
        if (wanted.isEmpty()) return List.of();
        return ids.getPositions(new Document(ID, new Document(IN, new ArrayList<>(wanted))));
    }
}
