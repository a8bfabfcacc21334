package durable;

import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.bson.BinData;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.bson.BsonEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import limits.DocumentLimits;
import org.h2.mvstore.WriteBuffer;
import org.h2.mvstore.type.BasicDataType;

/**
 * Stores documents and keys in the file as BSON. Otherwise the store would use Java serialization, of both
 * keys at every comparison, which takes most of the time of a write.
 */
final class BsonTypes {
    private BsonTypes() {
    }

    /** Marks a replacement for a document that the library cannot read; no field name contains this character. */
    private static final String UNREADABLE = "\u0000unreadable";

    /** The bytes of a document that the library cannot read, null if it can. */
    static byte[] unreadable(Document document) {
        return (byte[]) document.get(UNREADABLE);
    }

    private static byte[] encode(Document document) {
        byte[] asRead = unreadable(document);
        if (asRead != null) return asRead;
        ByteBuf buffer = Unpooled.buffer(256);
        BsonEncoder.encodeDocument(document, buffer);
        byte[] bytes = new byte[buffer.readableBytes()];
        buffer.readBytes(bytes);
        return bytes;
    }

    private static Document decode(ByteBuffer source) {
        int length = Integer.reverseBytes(source.getInt(source.position()));
        ByteBuffer slice = source.slice(source.position(), length);
        source.position(source.position() + length);
        if (length > DocumentLimits.MAX_BYTES) return new Document(UNREADABLE, bytesOf(slice));
        return BsonDecoder.decodeBson(Unpooled.wrappedBuffer(slice));
    }

    private static byte[] bytesOf(ByteBuffer slice) {
        byte[] bytes = new byte[slice.remaining()];
        slice.get(bytes);
        return bytes;
    }

    /** A list as BSON; a missing value, which BSON does not have, is a position that is left out. */
    private static Document asDocument(List<Object> values) {
        Document document = new Document("n", values.size());
        for (int index = 0; index < values.size(); index++) {
            Object value = values.get(index);
            if (!(value instanceof Missing)) document.put(Integer.toString(index), value);
        }
        return document;
    }

    private static List<Object> asList(Document document) {
        int size = (Integer) document.get("n");
        List<Object> values = new ArrayList<>(size);
        for (int index = 0; index < size; index++) {
            String key = Integer.toString(index);
            values.add(document.containsKey(key) ? document.get(key) : Missing.getInstance());
        }
        return values;
    }

    private static int compareValues(Object one, Object other) {
        if (one instanceof String && other instanceof String) return ((String) one).compareTo((String) other);
        return Arrays.compareUnsigned(encode(asDocument(Collections.singletonList(one))), encode(asDocument(Collections.singletonList(other))));
    }

    /** The approximate size in bytes: the store sizes its pages by it, and every write of a document writes its whole page. */
    private static int memory(Object value) {
        if (value instanceof String) return 48 + ((String) value).length();
        int sum = 64;
        if (value instanceof Document) {
            for (Map.Entry<String, Object> field : ((Document) value).entrySet()) {
                sum += memory(field.getKey()) + memory(field.getValue());
            }
        } else if (value instanceof Iterable) {
            for (Object element : (Iterable<?>) value) sum += memory(element);
        } else if (value instanceof byte[]) {
            sum += ((byte[]) value).length;
        } else if (value instanceof BinData) {
            sum += ((BinData) value).getData().length;
        }
        return sum;
    }

    /** The documents of a collection. */
    static final class Documents extends BasicDataType<Document> {
        @Override
        public int getMemory(Document document) {
            return memory(document);
        }

        @Override
        public void write(WriteBuffer target, Document document) {
            target.put(encode(document));
        }

        @Override
        public Document read(ByteBuffer source) {
            return decode(source);
        }

        @Override
        public Document[] createStorage(int size) {
            return new Document[size];
        }
    }

    /** Values of `_id`. */
    static final class Values extends BasicDataType<Object> {
        @Override
        public int compare(Object one, Object other) {
            return compareValues(one, other);
        }

        @Override
        public int getMemory(Object value) {
            return memory(value);
        }

        @Override
        public void write(WriteBuffer target, Object value) {
            target.put(encode(asDocument(Collections.singletonList(value))));
        }

        @Override
        public Object read(ByteBuffer source) {
            return asList(decode(source)).get(0);
        }

        @Override
        public Object[] createStorage(int size) {
            return new Object[size];
        }
    }

    /** Keys of a unique index. */
    static final class Keys extends BasicDataType<KeyValue> {
        @Override
        public int compare(KeyValue one, KeyValue other) {
            for (int index = 0; index < Math.min(one.size(), other.size()); index++) {
                int order = compareValues(one.get(index), other.get(index));
                if (order != 0) return order;
            }
            return Integer.compare(one.size(), other.size());
        }

        @Override
        public int getMemory(KeyValue key) {
            return memory(key);
        }

        @Override
        public void write(WriteBuffer target, KeyValue key) {
            List<Object> values = new ArrayList<>(key.size());
            for (Object value : key) values.add(value);
            target.put(encode(asDocument(values)));
        }

        @Override
        public KeyValue read(ByteBuffer source) {
            return new KeyValue(asList(decode(source)));
        }

        @Override
        public KeyValue[] createStorage(int size) {
            return new KeyValue[size];
        }
    }
}
