package io.aiel.plane.gateway.memory;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.http.Pages;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Pool;
import java.time.Clock;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The memory feature, put together: reads requests, keeps and finds, and words the answers. Thread-safe. */
public final class Memory {
    private static final String CHECKPOINT_PREFIX = "ckpt";
    private static final JsonText EMPTY = new JsonText("{}");

    private final MemoryStore store;
    private final MemorySettings settings;
    private final MemorySettings.Project quotas;
    private final Clock clock;
    private final MemorySweep sweep;

    /** Starts nothing. */
    public Memory(MemorySettings settings, Pool pool, ControlAudit audit, Clock clock) {
        this.store = new MemoryStore(pool, audit, settings);
        this.settings = settings;
        this.quotas = settings.project();
        this.clock = clock;
        this.sweep = new MemorySweep(store, settings.sweepLimit(), clock);
    }

    /** What clears away what has expired. */
    public MemorySweep sweep() {
        return sweep;
    }

    /** Puts messages at a thread's end, all or none; answers with these. */
    Uni<JsonNode> append(ProjectScope scope, String thread, @Nullable JsonNode body) {
        ThreadKey key = ThreadKey.of(thread);
        MemoryRequest.Append append = reader(body).append();
        Instant now = now();
        return store.append(scope, key, append, now)
                .chain(written -> written.isPresent()
                        ? Uni.createFrom().item(messages(key.id(scope), append.messages(), now, written.get()))
                        : refused(
                                scope,
                                append.bytes(),
                                new Quota(
                                        "messages",
                                        quotas.messagesMax(),
                                        "The thread would have more messages than it may")));
    }

    /** The newest messages of a thread; none when there is no such thread. */
    Uni<JsonNode> messages(ProjectScope scope, String thread, int limit) {
        ThreadKey key = ThreadKey.of(thread);
        String id = key.id(scope);
        return store.messages(scope, key, limit, now())
                .map(found -> found.map(there -> messages(id, there.messages(), there.at(), there.at()))
                        .orElseGet(() -> messages(id, List.of(), Instant.EPOCH, Instant.EPOCH)));
    }

    /** Changes members of a thread's state; answers with the whole. */
    Uni<JsonNode> patch(ProjectScope scope, String thread, @Nullable JsonNode body) {
        ThreadKey key = ThreadKey.of(thread);
        MemoryRequest.Patch patch = reader(body).patch();
        return store.patch(scope, key, patch, now())
                .chain(written -> written.isPresent()
                        ? Uni.createFrom().item(state(key.id(scope), written.get()))
                        : refused(
                                scope,
                                Sizes.of(patch.patch()),
                                new Quota(
                                        "state_bytes",
                                        settings.sizes().stateBytesMax(),
                                        "The state would have more bytes than it may")));
    }

    /** A thread's state; an empty one when there is no such thread. */
    Uni<JsonNode> state(ProjectScope scope, String thread) {
        ThreadKey key = ThreadKey.of(thread);
        return store.state(scope, key, now())
                .map(found -> state(key.id(scope), found.orElseGet(() -> new MemoryStore.State(EMPTY, Instant.EPOCH))));
    }

    /** A checkpoint in the place of the thread's last. */
    Uni<JsonNode> checkpoint(ProjectScope scope, String thread, @Nullable JsonNode body) {
        ThreadKey key = ThreadKey.of(thread);
        MemoryRequest.Checkpoint sent = reader(body).checkpoint();
        Instant now = now();
        String id = Ids.create(CHECKPOINT_PREFIX);
        return store.checkpoint(scope, key, id, sent, now)
                .chain(kept -> kept
                        ? Uni.createFrom()
                                .item(checkpoint(
                                        key.id(scope),
                                        new MemoryStore.Checkpoint(id, sent.state(), sent.metadata(), now)))
                        : refused(
                                scope,
                                sent.bytes(),
                                new Quota("checkpoints", quotas.threadsMax(), "The project has as many as it may")));
    }

    /** The thread's last checkpoint; refuses with a code of its own when there is none. */
    Uni<JsonNode> latest(ProjectScope scope, String thread) {
        ThreadKey key = ThreadKey.of(thread);
        return store.latest(scope, key, now())
                .map(found -> found.map(there -> checkpoint(key.id(scope), there))
                        .orElseThrow(() -> new Refusal(
                                ErrorCode.CHECKPOINT_NOT_FOUND,
                                "The thread has no checkpoint, or the last one has expired.")));
    }

    /** A page of threads, those with this user and agent where one is named. */
    Uni<JsonObject> threads(
            ProjectScope scope, @Nullable String user, @Nullable String agent, Optional<String> after, int rows) {
        MemoryRequest.Scope about = new MemoryRequest.Scope(Optional.ofNullable(user), Optional.ofNullable(agent));
        return store.threads(scope, about, after.orElse(""), rows + 1, now())
                .map(found -> Pages.of("items", found, rows));
    }

    /** Removes a thread with its messages, state and checkpoint, if there is one. */
    Uni<JsonNode> forgetThread(ProjectScope scope, AuditContext context, String thread) {
        return store.forget(scope, context, ThreadKey.of(thread))
                .map(was -> JsonNodeFactory.instance.objectNode().put("deleted", was ? 1 : 0));
    }

    /** Keeps a recall item, in the place of the one with its name. */
    Uni<JsonNode> put(ProjectScope scope, @Nullable JsonNode body) {
        MemoryRequest.Put put = reader(body).put();
        return store.put(scope, put, now())
                .chain(kept -> kept
                        ? Uni.createFrom().item(kept(scope, put))
                        : refused(
                                scope,
                                put.bytes(),
                                new Quota("items", quotas.itemsMax(), "The project has as many as it may")));
    }

    private static JsonNode kept(ProjectScope scope, MemoryRequest.Put put) {
        ObjectNode answer = JsonNodeFactory.instance
                .objectNode()
                .put("ok", true)
                .put("id", MemoryStore.itemId(scope, put.address()));
        put.embedding().ifPresent(embedding -> answer.put("embedding_dimensions", embedding.dimensions()));
        return answer;
    }

    /** A recall item by its name, if there is one. */
    Uni<JsonNode> get(ProjectScope scope, @Nullable JsonNode body) {
        return store.get(scope, reader(body).address(), now()).map(found -> {
            ObjectNode answer = JsonNodeFactory.instance.objectNode().put("found", found.isPresent());
            found.ifPresent(item -> answer.set("item", item(item)));
            return answer;
        });
    }

    /** What a namespace has, and what is inside it. */
    Uni<JsonNode> search(ProjectScope scope, @Nullable JsonNode body) {
        MemoryRequest.Search search = reader(body).search();
        if (search.vector().isPresent()) {
            return store.nearest(scope, search, search.vector().get(), now()).map(Memory::nearest);
        }
        return store.search(scope, search, now()).map(found -> {
            ObjectNode answer = JsonNodeFactory.instance.objectNode();
            ArrayNode items = answer.putArray("items");
            found.forEach(item -> items.add(item(item)));
            return answer;
        });
    }

    private static JsonNode nearest(MemoryStore.Nearest nearest) {
        ObjectNode answer = JsonNodeFactory.instance.objectNode();
        ArrayNode items = answer.putArray("items");
        nearest.items().forEach(one -> items.add(item(one.item()).put("score", one.score())));
        return answer.put("search_mode", "exact")
                .put("compared", nearest.compared())
                .put("complete", nearest.complete())
                .put("other_dimensions", nearest.otherDimensions());
    }

    /** Removes recall items and says how many. */
    Uni<JsonNode> forget(ProjectScope scope, AuditContext context, @Nullable JsonNode body) {
        return store.forget(scope, context, reader(body).forget(), now())
                .map(forgotten -> JsonNodeFactory.instance
                        .objectNode()
                        .put("deleted", forgotten.count())
                        .put("more", forgotten.more()));
    }

    private MemoryReader reader(@Nullable JsonNode body) {
        return new MemoryReader(body, settings.sizes());
    }

    /** The quota that is left when neither bytes nor the number of threads or items is what was passed. */
    private record Quota(String name, long max, String what) {
        Refusal refusal() {
            return new Refusal(
                    ErrorCode.QUOTA_EXCEEDED,
                    what + ", " + max + ". Nothing was written; forget something, or let it expire.",
                    Map.of("quota", name, "max", max));
        }
    }

    private <T> Uni<T> refused(ProjectScope scope, long bytes, Quota last) {
        return store.used(scope).map(used -> {
            boolean ofThread = last.name().equals("messages") || last.name().equals("state_bytes");
            Quota passed = last;
            if (used.bytes() + bytes > quotas.bytesMax()) {
                passed = new Quota("bytes", quotas.bytesMax(), "The project would keep more bytes than it may");
            } else if (ofThread && used.threads() >= quotas.threadsMax()) {
                passed = new Quota("threads", quotas.threadsMax(), "The project has as many threads as it may");
            }
            throw passed.refusal();
        });
    }

    private static JsonNode messages(String id, List<MemoryRequest.Message> messages, Instant ts, Instant at) {
        ObjectNode answer = JsonNodeFactory.instance.objectNode().put("thread_id", id);
        ArrayNode list = answer.putArray("messages");
        for (MemoryRequest.Message message : messages) {
            list.addObject()
                    .put("role", message.role())
                    .put("content", message.content())
                    .put("ts", message.ts().orElseGet(ts::toString))
                    .putRawValue("meta", new RawValue(message.meta().value()));
        }
        return answer.put("updated_at", at.toString());
    }

    private static JsonNode state(String id, MemoryStore.State state) {
        ObjectNode answer = JsonNodeFactory.instance.objectNode().put("thread_id", id);
        answer.putRawValue("state", new RawValue(state.state().value()));
        return answer.put("updated_at", state.at().toString());
    }

    private static JsonNode checkpoint(String id, MemoryStore.Checkpoint checkpoint) {
        ObjectNode answer = JsonNodeFactory.instance.objectNode();
        answer.put("thread_id", id).put("checkpoint_id", checkpoint.id());
        answer.putRawValue("state", new RawValue(checkpoint.state().value()));
        answer.putRawValue("metadata", new RawValue(checkpoint.metadata().value()));
        return answer.put("created_at", checkpoint.at().toString());
    }

    private static ObjectNode item(MemoryStore.Item item) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        ArrayNode namespace = node.putArray("namespace");
        item.namespace().names().forEach(namespace::add);
        node.put("key", item.key());
        node.putRawValue("value", new RawValue(item.value().value()));
        node.putRawValue("tags", new RawValue(item.tags().value()));
        return node.put("updated_at", item.at().toString());
    }

    /** PostgreSQL keeps microseconds; what is answered now must equal what is read later. */
    private Instant now() {
        return clock.instant().truncatedTo(ChronoUnit.MICROS);
    }
}
