package io.aiel.plane.gateway.memory;

import io.aiel.plane.vocabulary.JsonText;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What a memory call asks for, read and checked. None shows what it holds. */
sealed interface MemoryRequest {
    /** Whom a thread is about, as its writer says; what is not said stays as it was. */
    record Scope(Optional<String> user, Optional<String> agent) {
        @Override
        public String toString() {
            return "Scope";
        }
    }

    /**
     * One message.
     *
     * @param ts as the writer gave it
     * @param meta a JSON object
     */
    record Message(String role, String content, Optional<String> ts, JsonText meta) {
        /** What it takes of the quota. */
        long bytes() {
            return (long) Sizes.of(content) + Sizes.of(meta) + Sizes.ROW;
        }

        @Override
        public String toString() {
            return "Message(" + role + ")";
        }
    }

    /** Messages for the end of a thread. */
    record Append(Scope scope, List<Message> messages, Optional<Duration> ttl) implements MemoryRequest {
        public Append {
            messages = List.copyOf(messages);
        }

        long bytes() {
            return messages.stream().mapToLong(Message::bytes).sum();
        }
    }

    /** Members for a thread's state. */
    record Patch(Scope scope, JsonText patch, Optional<Duration> ttl) implements MemoryRequest {}

    /** A checkpoint in the place of a thread's last. */
    record Checkpoint(Scope scope, JsonText state, JsonText metadata, Optional<Duration> ttl) implements MemoryRequest {
        long bytes() {
            return (long) Sizes.of(state) + Sizes.of(metadata) + Sizes.ROW;
        }
    }

    /** One recall item's name. */
    record Address(Namespace namespace, String key) implements MemoryRequest {
        @Override
        public String toString() {
            return "Address";
        }
    }

    /**
     * A recall item.
     *
     * @param words the texts in it, for the search by free text
     * @param embedding its vector, for the search by vector
     */
    record Put(
            Address address,
            JsonText value,
            JsonText tags,
            String words,
            Optional<Embedding> embedding,
            Optional<Duration> ttl)
            implements MemoryRequest {
        long bytes() {
            return (long) Sizes.of(value)
                    + Sizes.of(tags)
                    + embedding.map(Embedding::size).orElse(0)
                    + Sizes.ROW;
        }

        @Override
        public String toString() {
            return "Put";
        }
    }

    /**
     * A search of a namespace and what is inside.
     *
     * @param text words of which at least one must occur
     * @param tags what the item's tags must have
     * @param keyPrefix how its key begins
     * @param vector what its vector is to be near to
     */
    record Search(
            Namespace namespace,
            Optional<String> text,
            Optional<JsonText> tags,
            Optional<String> keyPrefix,
            Optional<Embedding> vector,
            int limit)
            implements MemoryRequest {
        @Override
        public String toString() {
            return "Search";
        }
    }

    /** Items to be forgotten, by key (of exactly this namespace) or by tags (of what is inside, too). */
    record Forget(Namespace namespace, List<String> keys, Optional<JsonText> tags) implements MemoryRequest {
        public Forget {
            keys = List.copyOf(keys);
        }

        @Override
        public String toString() {
            return "Forget";
        }
    }
}
