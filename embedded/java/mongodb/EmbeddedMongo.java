import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.wire.MongoDatabaseHandler;
import de.bwaldvogel.mongo.wire.MongoExceptionHandler;
import de.bwaldvogel.mongo.wire.MongoWireMessageEncoder;
import de.bwaldvogel.mongo.wire.MongoWireReplyEncoder;
import durable.DurableBackend;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import limits.LimitedMessages;
import memory.IndexedMemory;

/**
 * Serves the MongoDB protocol on loopback: {@code EmbeddedMongo PORT} in memory, {@code EmbeddedMongo PORT FILE} durably.
 * It stops in order at SIGTERM.
 */
public final class EmbeddedMongo {
    /** Each connection gets a thread of its own up to this number; further connections share one thread, and so share its waits for the disk. */
    private static final int CONNECTION_THREADS = 128;

    private static final int WAITING_CONNECTIONS = 100;
    private static final int SHUTDOWN_SECONDS = 5;

    /** The npm driver 7 refuses servers below wire version 9. */
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
        serve(backend.version(VERSION), port);
    }

    /** As the library's own server, but with {@link LimitedMessages}. */
    private static void serve(MongoBackend backend, int port) {
        EventLoopGroup acceptor = new NioEventLoopGroup(1);
        EventLoopGroup connections = new NioEventLoopGroup(CONNECTION_THREADS);
        ChannelGroup clients = new DefaultChannelGroup("clients", connections.next());
        ServerBootstrap bootstrap = new ServerBootstrap()
            .group(acceptor, connections)
            .channel(NioServerSocketChannel.class)
            .option(ChannelOption.SO_BACKLOG, WAITING_CONNECTIONS)
            .childOption(ChannelOption.TCP_NODELAY, Boolean.TRUE)
            .childHandler(new ChannelInitializer<SocketChannel>() {
                @Override
                public void initChannel(SocketChannel client) {
                    client.pipeline().addLast(new MongoWireReplyEncoder(), new MongoWireMessageEncoder(), new LimitedMessages(),
                        new MongoDatabaseHandler(backend, clients), new MongoExceptionHandler());
                }
            });
        Channel listener = bootstrap.bind(new InetSocketAddress("127.0.0.1", port)).syncUninterruptibly().channel();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            listener.close().syncUninterruptibly();
            clients.close().syncUninterruptibly();
            for (EventLoopGroup group : List.of(acceptor, connections)) group.shutdownGracefully(0, SHUTDOWN_SECONDS, TimeUnit.SECONDS);
            for (EventLoopGroup group : List.of(acceptor, connections)) group.terminationFuture().syncUninterruptibly();
            backend.close();
        }));
    }
}
