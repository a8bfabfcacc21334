package durable;

import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.bson.Document;
import java.util.LinkedHashMap;
import java.util.Map;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.Page;

/**
 * Removes documents that the library cannot read from the collections, so that the others are served: an earlier version stored
 * documents above the limit of 16 MiB. Their bytes stay in the file, in a separate map, and each is named in a line of output.
 */
final class SetAside {
    private static final String MAP = "setaside";
    private static final String ID_INDEX = DurableBackend.INDEX + "_id_";

    private SetAside() {
    }

    static void unreadable(MVStore store) {
        for (String name : store.getMapNames()) {
            if (!name.startsWith(DurableBackend.DATA)) continue;
            MVMap<Object, Document> documents = store.openMap(name);
            Map<Object, byte[]> found = new LinkedHashMap<>();
            find(documents.getRootPage(), found);
            found.forEach((id, bytes) -> move(store, documents, id, bytes));
        }
        store.commit();
    }

    /** Checks only large pages: the position of a page contains its approximate length. */
    private static void find(Page<Object, Document> page, Map<Object, byte[]> found) {
        for (int index = 0; page.isLeaf() && index < page.getKeyCount(); index++) {
            byte[] bytes = BsonTypes.unreadable(page.getValue(index));
            if (bytes != null) found.put(page.getKey(index), bytes);
        }
        for (int index = 0; !page.isLeaf() && index <= page.getKeyCount(); index++) {
            long position = page.getChildPagePos(index);
            boolean isLeaf = DataUtils.getPageType(position) == DataUtils.PAGE_TYPE_LEAF;
            if (!isLeaf || DataUtils.getPageMaxLength(position) == DataUtils.PAGE_LARGE) find(page.getChildPage(index), found);
        }
    }

    private static void move(MVStore store, MVMap<Object, Document> documents, Object id, byte[] bytes) {
        String collection = documents.getName().substring(DurableBackend.DATA.length());
        String name = collection + " " + id;
        MVMap<String, byte[]> aside = store.openMap(MAP);
        aside.put(name, bytes);
        documents.remove(id);
        if (store.hasMap(collection + ID_INDEX)) store.openMap(collection + ID_INDEX).remove(new KeyValue(id));
        System.out.println("set aside: " + name + ", a document of " + bytes.length + " bytes, which is more than MongoDB holds");
    }
}
