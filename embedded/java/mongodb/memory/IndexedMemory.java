package memory;

import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.ArrayFilters;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.QueryParameters;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryCollection;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.Oplog;
import indexes.HashIndex;
import indexes.Narrowed;
import java.util.List;
import limits.CommandRules;

/** The memory backend, with secondary indexes. */
public final class IndexedMemory extends MemoryBackend {
    @Override
    public MemoryDatabase openOrCreateDatabase(String name) {
        return new Database(name, getCursorRegistry());
    }

    private static final class Database extends MemoryDatabase {
        Database(String name, CursorRegistry cursors) {
            super(name, cursors);
        }

        @Override
        protected MemoryCollection openOrCreateCollection(String name, CollectionOptions options) {
            return new IndexedCollection(this, name, options, cursorRegistry);
        }

        @Override
        protected Index<Integer> openOrCreateSecondaryIndex(String collection, String name, List<IndexKey> keys, boolean sparse) {
            return new HashIndex<>(name, keys);
        }
    }

    private static final class IndexedCollection extends MemoryCollection {
        private final CommandRules<Integer> rules = new CommandRules<>();

        IndexedCollection(MongoDatabase database, String name, CollectionOptions options, CursorRegistry cursors) {
            super(database, name, options, cursors);
            super.addIndex(rules.limits);
        }

        /** Queries of the library itself: for a delete, findAndModify, or an aggregation. */
        @Override
        public synchronized QueryResult handleQuery(Document query, int skip, int limit) {
            return super.handleQuery(new QueryParameters(query, skip, limit));
        }

        /** Queries of a client. */
        @Override
        public synchronized QueryResult handleQuery(QueryParameters parameters) {
            return rules.replying(() -> super.handleQuery(parameters));
        }

        @Override
        protected QueryResult createQueryResult(List<Document> documents, int batchSize) {
            return rules.resultOf(documents, batchSize, cursorRegistry, () -> super.createQueryResult(documents, batchSize));
        }

        /** The library expects that no index is left by then. */
        @Override
        public void drop() {
            super.dropIndex(rules.limits.getName());
            super.drop();
        }

        @Override
        public synchronized List<Document> insertDocuments(List<Document> documents, boolean ordered) {
            return rules.inserting(() -> super.insertDocuments(documents, ordered));
        }

        @Override
        public synchronized Document updateDocuments(Document selector, Document update, ArrayFilters filters, boolean multi,
                                                     boolean upsert, Oplog oplog) {
            return rules.updating(update, () -> super.updateDocuments(selector, update, filters, multi, upsert, oplog));
        }

        /** Synchronized with all other commands: the library appends to a list that others iterate over. */
        @Override
        public synchronized void addIndex(Index<Integer> index) {
            super.addIndex(index);
        }

        @Override
        public synchronized void dropIndex(String name) {
            super.dropIndex(name);
        }

        @Override
        protected QueryResult queryDocuments(Document query, Document order, int skip, int limit, int batch, Document fields) {
            Narrowed<Integer> narrowed = Narrowed.of(getIndexes(), query);
            return narrowed == null
                ? super.queryDocuments(query, order, skip, limit, batch, fields)
                : matchDocuments(narrowed.rest, narrowed.positions, order, skip, limit, batch, fields);
        }
    }
}
