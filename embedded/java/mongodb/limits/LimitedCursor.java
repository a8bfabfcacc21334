package limits;

import de.bwaldvogel.mongo.backend.AbstractCursor;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.bson.Document;
import java.util.List;

/** Gives a reply at most 16 MiB of documents, as a real server does, and at least one; the library would return all of them. */
final class LimitedCursor extends AbstractCursor {
    private List<Document> remaining;

    private LimitedCursor(long id, List<Document> remaining) {
        super(id);
        this.remaining = remaining;
    }

    /** @param batchSize 0: as many as fit into a reply. */
    static QueryResult resultOf(List<Document> documents, int batchSize, CursorRegistry cursors) {
        int first = fitting(documents, batchSize);
        if (first == documents.size()) return new QueryResult(documents);
        LimitedCursor cursor = new LimitedCursor(cursors.generateCursorId(), documents.subList(first, documents.size()));
        cursors.add(cursor);
        return new QueryResult(documents.subList(0, first), cursor);
    }

    private static int fitting(List<Document> documents, int most) {
        int end = most > 0 ? Math.min(most, documents.size()) : documents.size();
        long bytes = 0;
        for (int index = 0; index < end; index++) {
            bytes += DocumentLimits.sizeOf(documents.get(index));
            if (bytes > DocumentLimits.MAX_BYTES && index > 0) return index;
        }
        return end;
    }

    @Override
    public boolean isEmpty() {
        return remaining.isEmpty();
    }

    @Override
    public List<Document> takeDocuments(int most) {
        int end = fitting(remaining, most);
        List<Document> taken = remaining.subList(0, end);
        remaining = remaining.subList(end, remaining.size());
        return taken;
    }
}
