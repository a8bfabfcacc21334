import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.MongoWireProtocolHandler;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.message.ClientRequest;
import de.bwaldvogel.mongo.wire.message.MessageHeader;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.util.List;

/**
 * Answers messages with a document that is too large as a real server does. The library ends the connection: a caller takes
 * that for an outage, and sends the same again. Messages over 48 MB end the connection here and there.
 */
final class LimitedMessages extends MongoWireProtocolHandler {
    private static final int HEADER_BYTES = 16;
    private static final int OP_MSG = 2013;
    private static final int BAD_VALUE = 2;
    private static final int OBJECT_TOO_LARGE = 10_334;

    @Override
    protected ClientRequest decode(ChannelHandlerContext context, ByteBuf in) throws Exception {
        int start = in.readerIndex();
        if (in.readableBytes() < HEADER_BYTES) return null;
        int total = in.getIntLE(start);
        if (total > MAX_MESSAGE_SIZE_BYTES || in.readableBytes() < total || in.getIntLE(start + 12) != OP_MSG) {
            return super.decode(context, in);
        }
        int largest = largestDocument(in, start, total);
        if (largest <= DocumentLimits.MAX_BYTES) return super.decode(context, in);
        Document body = bodyOf(in, start, total);
        int request = in.getIntLE(start + 4);
        in.skipBytes(total);
        context.writeAndFlush(new MongoMessage(context.channel(), new MessageHeader(0, request), refusal(body, largest)));
        return null;
    }

    /** Size of the largest document that stands at the top of a section. */
    private static int largestDocument(ByteBuf in, int start, int total) {
        int largest = 0;
        int at = start + HEADER_BYTES + 4;
        while (at < start + total) {
            int kind = in.getByte(at++);
            int size = in.getIntLE(at);
            if (kind == MongoMessage.SECTION_KIND_BODY) largest = Math.max(largest, size);
            else largest = Math.max(largest, largestInSequence(in, at, size));
            at += Math.max(size, 1);
        }
        return largest;
    }

    private static int largestInSequence(ByteBuf in, int section, int size) {
        int largest = 0;
        int at = in.indexOf(section + 4, section + size, (byte) 0) + 1;
        while (at > 0 && at < section + size) {
            int document = in.getIntLE(at);
            largest = Math.max(largest, document);
            at += Math.max(document, 1);
        }
        return largest;
    }

    /** The command without its documents; null where it is itself what is too large. */
    private static Document bodyOf(ByteBuf in, int start, int total) {
        int at = start + HEADER_BYTES + 4;
        while (at < start + total) {
            int kind = in.getByte(at++);
            int size = in.getIntLE(at);
            if (kind == MongoMessage.SECTION_KIND_BODY) {
                return size > DocumentLimits.MAX_BYTES ? null : BsonDecoder.decodeBson(in.slice(at, size));
            }
            at += Math.max(size, 1);
        }
        return null;
    }

    private static Document refusal(Document body, int bytes) {
        boolean isInsert = body != null && body.containsKey("insert") && bytes <= DocumentLimits.MAX_BYTES + DocumentLimits.INTERNAL_BYTES;
        if (!isInsert) {
            return new Document("ok", 0).append("code", OBJECT_TOO_LARGE).append("codeName", "BSONObjectTooLarge")
                .append("errmsg", DocumentLimits.messageOf(bytes));
        }
        // A driver sends such a document alone: in a bulk it refuses it itself.
        String message = "object to insert too large. size in bytes: " + bytes + ", max size: " + DocumentLimits.MAX_BYTES;
        Document error = new Document("index", 0).append("code", BAD_VALUE).append("errmsg", message);
        return new Document("n", 0).append("writeErrors", List.of(error)).append("ok", 1);
    }
}
