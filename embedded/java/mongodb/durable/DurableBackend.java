package durable;

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import indexes.HashIndex;
import java.util.List;
import java.util.Set;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/**
 * The H2 backend with durable acknowledgements. The original commits once a second, and a kill loses the writes that it
 * acknowledged since. Here an answer is sent only after everything that it reports is in the file.
 */
public final class DurableBackend extends H2Backend {
    static final String DATA = "databases.";
    private static final String META = "meta.";
    static final String INDEX = "._index_";

    /** Pages kept in memory, in MB. */
    private static final int CACHE_MB = 256;

    /** Longest of each of the two steps of the compaction at the start, in ms. */
    private static final int START_COMPACTION_MS = 2_000;

    /** Commits between two checks of the share of dead data in the file. */
    private static final int COMPACTION_EVERY = 64;

    /** Share of live data, in percent, below which the oldest chunks are rewritten: while running, and at the start. */
    private static final int LIVE_PERCENT = 40;
    private static final int LIVE_PERCENT_AT_START = 80;

    /** Live data rewritten in one step, in bytes; commands wait meanwhile. */
    private static final int COMPACTION_BYTES = 4 * 1024 * 1024;

    /** Commands that write nothing; every other one is followed by a commit. */
    private static final Set<String> READS = Set.of("find", "count", "distinct", "getmore", "listcollections",
        "listindexes", "listdatabases", "ping", "hello", "ismaster", "buildinfo", "serverstatus", "killcursors",
        "endsessions", "dbstats", "collstats", "validate", "whatsmyuri", "connectionstatus", "hostinfo", "getlog");

    private int commitsDone;
    private final GroupCommit commits = new GroupCommit(this::commitOrDie);

    private DurableBackend(MVStore store) {
        super(store);
    }

    public static DurableBackend open(String file) {
        MVStore store = new MVStore.Builder().fileName(file).autoCommitDisabled().cacheSize(CACHE_MB).open();
        store.setVersionsToKeep(0);
        // Space of a replaced chunk is used again at once: by then its replacement is on the disk (toDisk).
        store.setRetentionTime(0);
        // Before the compaction, because it does not move data of maps that are not open.
        store.getMapNames().forEach(name -> openTyped(store, name));
        SetAside.unreadable(store);
        shrink(store);
        return new DurableBackend(store);
    }

    @Override
    public Document handleMessage(MongoMessage message) {
        String command = message.getDocument().keySet().iterator().next().toLowerCase();
        return READS.contains(command)
            ? commits.read(() -> super.handleMessage(message))
            : commits.write(() -> super.handleMessage(message));
    }

    @Override
    protected MongoDatabase openOrCreateDatabase(String name) {
        // The constructor of a database opens this one before a subclass can change it.
        openTyped(getMvStore(), DATA + name + ".system.namespaces");
        openTyped(getMvStore(), DATA + name + ".system.indexes");
        return new TypedDatabase(name, getCursorRegistry());
    }

    /** A store that cannot write must not continue to answer. */
    private void commitOrDie() {
        try {
            MVStore store = getMvStore();
            toDisk(store);
            if (++commitsDone % COMPACTION_EVERY == 0 && store.compact(LIVE_PERCENT, COMPACTION_BYTES)) toDisk(store);
        } catch (RuntimeException fault) {
            fault.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private static void toDisk(MVStore store) {
        store.commit();
        store.sync();
    }

    private static void shrink(MVStore store) {
        long end = System.currentTimeMillis() + START_COMPACTION_MS;
        while (System.currentTimeMillis() < end && store.compact(LIVE_PERCENT_AT_START, COMPACTION_BYTES)) toDisk(store);
        store.compactFile(START_COMPACTION_MS);
    }

    /** Opens a map with BSON types before it is opened without them; an open map is found by its name. */
    private static void openTyped(MVStore store, String name) {
        if (name.startsWith(DATA)) {
            store.openMap(name, new MVMap.Builder<Object, Document>().keyType(new BsonTypes.Values())
                .valueType(new BsonTypes.Documents()));
        } else if (name.contains(INDEX)) {
            store.openMap(name, new MVMap.Builder<KeyValue, Object>().keyType(new BsonTypes.Keys())
                .valueType(new BsonTypes.Values()));
        }
    }

    /** An inner class: the library's constructor opens the stored maps, when only the outer instance is set. */
    private final class TypedDatabase extends H2Database {
        TypedDatabase(String name, CursorRegistry cursors) {
            super(name, DurableBackend.this.getMvStore(), cursors);
        }

        @Override
        protected MongoCollection<Object> openOrCreateCollection(String collection, CollectionOptions options) {
            MVStore store = DurableBackend.this.getMvStore();
            String name = getDatabaseName() + "." + collection;
            openTyped(store, DATA + name);
            return new IndexedH2Collection(this, collection, options, store.openMap(DATA + name), store.openMap(META + name),
                cursorRegistry);
        }

        @Override
        protected Index<Object> openOrCreateSecondaryIndex(String collection, String index, List<IndexKey> keys, boolean sparse) {
            return new HashIndex<>(index, keys);
        }

        @Override
        protected Index<Object> openOrCreateUniqueIndex(String collection, String index, List<IndexKey> keys, boolean sparse) {
            openTyped(DurableBackend.this.getMvStore(), getDatabaseName() + "." + collection + INDEX + index);
            return super.openOrCreateUniqueIndex(collection, index, keys, sparse);
        }
    }
}
