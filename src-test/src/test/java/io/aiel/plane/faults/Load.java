package io.aiel.plane.faults;

import io.aiel.plane.faults.Ledger.Call;
import io.aiel.plane.faults.Ledger.Change;
import io.aiel.plane.faults.Ledger.Heard;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Steady callers: each sends one request after the other, whatever comes back, and notes what it heard. What runs appends its
 * request's id to a file outside the plane, where the tier lets it: that file is the witness of what really ran, which survives
 * the death of every process of the plane. Begun and ended by one thread.
 */
final class Load implements AutoCloseable {
    /** A tool that leaves a trace outside before it works, logs, and fails when asked to. */
    static final Map<String, String> CODE = Map.of("entry_point.py", """
            import os
            import time

            from aiel_sdk import tool

            @tool("work")
            def work(ctx, payload):
                if payload["witness"]:
                    outside = os.open(payload["witness"], os.O_WRONLY | os.O_APPEND)
                    try:
                        os.write(outside, (payload["call"] + "\\n").encode())
                    finally:
                        os.close(outside)
                ctx.log("ran", call=payload["call"])
                time.sleep(payload["ms"] / 1000)
                if payload["fail"]:
                    raise RuntimeError("asked to")
                return {"call": payload["call"], "twice": payload["number"] * 2}
            """);

    private final String run = UUID.randomUUID().toString().substring(0, 8);
    private final Ledger ledger;
    private final String witness;
    private final CountDownLatch over = new CountDownLatch(1);
    private final List<Thread> threads = new ArrayList<>();

    /** @param witness the file that what runs appends to; empty text when the tier does not let it */
    Load(Ledger ledger, String witness) {
        this.ledger = ledger;
        this.witness = witness;
    }

    /** A file that workers of any user may append to, for the life of this process. */
    static Path newWitness() {
        try {
            Path folder = PackagedPlane.freshData();
            folder.toFile().deleteOnExit();
            Path file = Files.createFile(folder.resolve("witness"));
            file.toFile().deleteOnExit();
            return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** How often each call was seen outside. */
    static Map<String, Integer> seen(Path witness) {
        try {
            Map<String, Integer> seen = new HashMap<>();
            Files.readString(witness, StandardCharsets.UTF_8)
                    .lines()
                    .forEach(line -> seen.merge(line, 1, Integer::sum));
            return seen;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Adds callers of this project. */
    void callers(Project project, int count, int pauseMs) {
        for (int i = 0; i < count; i++) {
            String caller = run + "-" + threads.size();
            threads.add(Thread.ofVirtual().name("caller-" + caller).start(() -> callAll(project, caller, pauseMs)));
        }
    }

    /** Adds one that makes projects in this project's workspace. */
    void changes(Project project, int pauseMs) {
        String caller = run + "-" + threads.size();
        threads.add(Thread.ofVirtual().name("maker-" + caller).start(() -> {
            for (int number = 0; !pause(pauseMs); number++) {
                ledger.add(change(project, "p-" + caller + "-" + number));
            }
        }));
    }

    private void callAll(Project project, String caller, int pauseMs) {
        SplittableRandom random = new SplittableRandom(caller.hashCode());
        for (int number = 0; !pause(pauseMs); number++) {
            ledger.add(call(project, caller, number, random.nextInt(30), random.nextInt(10) == 0, witness));
        }
    }

    /** One call and what came back. */
    static Call call(Project project, String caller, int number, int ms, boolean fail, String witness) {
        String id = caller + "-" + number;
        Map<String, Object> event = Map.of("call", id, "number", number, "ms", ms, "fail", fail, "witness", witness);
        try {
            return new Call(id, caller, heard(project.tool("work", event, "X-Request-Id", id)));
        } catch (UncheckedIOException e) {
            return new Call(id, caller, new Heard.Silence(String.valueOf(e.getCause())));
        }
    }

    static Change change(Project project, String slug) {
        try {
            Answer answer = project.client()
                    .post(
                            "/v1/workspaces/" + project.workspace() + "/projects",
                            Map.of("slug", slug, "name", slug),
                            "X-Request-Id",
                            slug);
            String id = answer.status() == 201 ? answer.json().path("id").asText() : "";
            return new Change(slug, id, new Heard.Other(answer.status(), answer.errorCode(), answer.text()));
        } catch (UncheckedIOException e) {
            return new Change(slug, "", new Heard.Silence(String.valueOf(e.getCause())));
        }
    }

    private static Heard heard(Answer answer) {
        return answer.executionId().isEmpty()
                ? new Heard.Other(answer.status(), answer.errorCode(), answer.text())
                : new Heard.Envelope(answer.json());
    }

    /** Whether it is over; otherwise a moment later. */
    private boolean pause(int milliseconds) {
        try {
            return over.await(milliseconds, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }

    /** Lets each caller hear its last answer. */
    @Override
    public void close() {
        over.countDown();
        try {
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
