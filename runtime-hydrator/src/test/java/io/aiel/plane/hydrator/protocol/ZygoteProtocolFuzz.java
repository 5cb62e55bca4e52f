package io.aiel.plane.hydrator.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What a zygote sends: no worker that was not asked for, no worker that ends twice, nothing after a breach. */
public final class ZygoteProtocolFuzz {
    private static final String HELLO = "{\"type\":\"hello\",\"protocol\":1,\"tier\":\"none\",\"isolation\":{},"
            + "\"python\":\"3\",\"sdk_version\":\"1\",\"runtime_version\":\"2\",\"pid\":7}";

    private ZygoteProtocolFuzz() {}

    /** Texts with NULs between, each a frame, after the greeting; two workers were asked for. */
    public static void fuzzerTestOneInput(byte[] input) {
        ZygoteProtocol machine = new ZygoteProtocol(1 << 16);
        machine.receive(ByteBuffer.wrap(Message.frame(HELLO)));
        Set<String> asked = new HashSet<>(Set.of("w1", "w2"));
        for (String worker : asked) {
            machine.spawn(worker, "n", "", "s", 1, "default", WorkerLimits.DEFAULT, "");
        }
        Set<String> living = new HashSet<>();
        boolean broken = false;
        for (String text : new String(input, StandardCharsets.UTF_8).split("\0", -1)) {
            List<ZygoteEvent> events = machine.receive(ByteBuffer.wrap(Message.frame(text)));
            require(!broken || events.isEmpty(), "events after a breach");
            for (ZygoteEvent event : events) {
                switch (event) {
                    case ZygoteEvent.Spawned spawned ->
                        require(asked.remove(spawned.worker()) && living.add(spawned.worker()), "a worker of nobody");
                    case ZygoteEvent.SpawnFailed failed ->
                        require(asked.remove(failed.worker()), "a failure of nobody");
                    case ZygoteEvent.Exited exited -> require(living.remove(exited.worker()), "an end of nobody");
                    case ZygoteEvent.Broken _ -> broken = true;
                    case ZygoteEvent.Hello _, ZygoteEvent.StartFailed _ ->
                        throw new AssertionError("a second greeting");
                    case ZygoteEvent.Pong _ -> {}
                }
            }
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
