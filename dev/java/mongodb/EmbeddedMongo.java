import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * Serves the MongoDB protocol on loopback: {@code EmbeddedMongo PORT} in memory, {@code EmbeddedMongo PORT FILE} durably.
 * It ends in order at SIGTERM.
 */
public final class EmbeddedMongo {
    /** Each connection gets a thread of its own up to this number; more share one, and so share a wait for the disk. */
    private static final int CONNECTION_THREADS = 128;

    /** What the npm driver 7 accepts: it refuses servers below wire version 9. */
    private static final MongoVersion VERSION = new MongoVersion() {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    };

    private EmbeddedMongo() {
    }

    public static void main(String[] arguments) {
        int port = Integer.parseInt(arguments[0]);
        MongoBackend backend = arguments.length > 1 ? DurableBackend.open(arguments[1]) : new IndexedMemory();
        MongoServer server = new MongoServer(backend.version(VERSION));
        server.bind(new InetSocketAddress("127.0.0.1", port), 1, CONNECTION_THREADS);
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    }
}
