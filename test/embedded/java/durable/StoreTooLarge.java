package durable;

import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.bson.Document;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/** Stores a document of BYTES bytes in a collection of a stopped server, as an earlier version did: {@code FILE COLLECTION ID BYTES}. */
public final class StoreTooLarge {
    private StoreTooLarge() {
    }

    public static void main(String[] arguments) {
        String collection = arguments[1];
        String id = arguments[2];
        MVStore store = new MVStore.Builder().fileName(arguments[0]).autoCommitDisabled().open();
        MVMap<Object, Document> documents = store.openMap("databases." + collection, new MVMap.Builder<Object, Document>()
            .keyType(new BsonTypes.Values()).valueType(new BsonTypes.Documents()));
        MVMap<KeyValue, Object> ids = store.openMap(collection + "._index__id_", new MVMap.Builder<KeyValue, Object>()
            .keyType(new BsonTypes.Keys()).valueType(new BsonTypes.Values()));
        documents.put(id, new Document("_id", id).append("text", "x".repeat(Integer.parseInt(arguments[3]))));
        ids.put(new KeyValue(id), id);
        store.commit();
        store.close();
    }
}
