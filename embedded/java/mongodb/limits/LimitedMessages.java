package limits;

import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.BsonConstants;
import de.bwaldvogel.mongo.wire.MongoWireProtocolHandler;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.message.ClientRequest;
import de.bwaldvogel.mongo.wire.message.MessageHeader;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads messages with documents a little above 16 MiB, as a real server does: a message with a document of 16 MiB is larger than the
 * document. A larger message is answered with an error. The library ends the connection in both cases: a caller would treat that as an
 * outage, and send the message again. Both servers end the connection for messages above 48 MB.
 */
public final class LimitedMessages extends MongoWireProtocolHandler {
    private static final int HEADER_BYTES = 16;
    private static final int OP_MSG = 2013;
    private static final int OBJECT_TOO_LARGE = 10_334;

    @Override
    protected ClientRequest decode(ChannelHandlerContext context, ByteBuf in) throws Exception {
        int start = in.readerIndex();
        if (in.readableBytes() < HEADER_BYTES) return null;
        int total = in.getIntLE(start);
        boolean isSmall = total <= DocumentLimits.MAX_BYTES || total > MAX_MESSAGE_SIZE_BYTES;
        if (isSmall || in.readableBytes() < total || in.getIntLE(start + 12) != OP_MSG) return super.decode(context, in);
        // no flags: the only one that a client could set is that of a checksum
        if (in.getIntLE(start + HEADER_BYTES) != 0) return super.decode(context, in);
        MessageHeader header = new MessageHeader(total, in.getIntLE(start + 4), in.getIntLE(start + 8));
        ByteBuf sections = in.slice(start + HEADER_BYTES + 4, total - HEADER_BYTES - 4);
        in.skipBytes(total);
        try {
            return new MongoMessage(context.channel(), header, readSections(sections));
        } catch (TooLarge fault) {
            Document answer = new Document("ok", 0).append("code", OBJECT_TOO_LARGE).append("codeName", "BSONObjectTooLarge")
                .append("errmsg", DocumentLimits.messageOf(fault.bytes));
            context.writeAndFlush(new MongoMessage(context.channel(), new MessageHeader(0, header.getRequestID()), answer));
            return null;
        }
    }

    private static Document readSections(ByteBuf in) {
        Document body = new Document();
        Document sequences = new Document();
        while (in.isReadable()) {
            if (in.readByte() == MongoMessage.SECTION_KIND_BODY) {
                body = readDocument(in);
                continue;
            }
            int end = in.readerIndex() + in.getIntLE(in.readerIndex());
            in.skipBytes(4);
            String name = BsonDecoder.decodeCString(in);
            List<Document> documents = new ArrayList<>();
            while (in.readerIndex() < end) documents.add(readDocument(in));
            sequences.put(name, documents);
        }
        body.putAll(sequences);
        return body;
    }

    private static Document readDocument(ByteBuf in) {
        int bytes = in.getIntLE(in.readerIndex());
        if (bytes <= DocumentLimits.MAX_BYTES) return BsonDecoder.decodeBson(in);
        if (bytes > DocumentLimits.MAX_BYTES + DocumentLimits.INTERNAL_BYTES) throw new TooLarge(bytes);
        in.skipBytes(4);
        Document document = new Document();
        for (byte type = in.readByte(); type != BsonConstants.TERMINATING_BYTE; type = in.readByte()) {
            document.put(BsonDecoder.decodeCString(in), readValue(type, in));
        }
        return document;
    }

    private static Object readValue(byte type, ByteBuf in) {
        if (type == BsonConstants.TYPE_EMBEDDED_DOCUMENT) return readDocument(in);
        if (type == BsonConstants.TYPE_ARRAY) return new ArrayList<>(readDocument(in).values());
        return BsonDecoder.decodeValue(type, in);
    }

    private static final class TooLarge extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final int bytes;

        TooLarge(int bytes) {
            super("a document of " + bytes + " bytes");
            this.bytes = bytes;
        }
    }
}
