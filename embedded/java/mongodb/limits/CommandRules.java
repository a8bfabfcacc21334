package limits;

import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.bson.Document;
import java.util.List;
import java.util.function.Supplier;

/** Rules for the commands of a collection, stored or in memory: limits of documents, and of answers. */
public final class CommandRules<P> {
    /** To be added to the indexes of the collection, and dropped before it is. */
    public final DocumentLimits<P> limits = new DocumentLimits<>();
    /** The running command finds documents for a client; other commands iterate over all matching documents. */
    private boolean replies;

    /** Runs a find of a client. */
    public QueryResult replying(Supplier<QueryResult> command) {
        replies = true;
        try {
            return command.get();
        } finally {
            replies = false;
        }
    }

    public QueryResult resultOf(List<Document> documents, int batchSize, CursorRegistry cursors, Supplier<QueryResult> all) {
        return replies ? LimitedCursor.resultOf(documents, batchSize, cursors) : all.get();
    }

    /** Runs an update. */
    public Document updating(Document update, Supplier<Document> command) {
        UpdatePaths.check(update);
        limits.updates(update);
        try {
            return command.get();
        } finally {
            limits.updates(null);
        }
    }

    public List<Document> inserting(Supplier<List<Document>> command) {
        limits.inserts(true);
        try {
            return command.get();
        } finally {
            limits.inserts(false);
        }
    }
}
