package io.aiel.plane.gateway.cli;

import io.aiel.plane.hydrator.BundleCatalogue;
import io.aiel.plane.hydrator.HydratorFailure;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "bundle",
        description = "Shows, adds and removes the worker bundles that projects can choose as their runtime.",
        subcommands = {
            BundleCommand.Show.class,
            BundleCommand.Add.class,
            BundleCommand.Install.class,
            BundleCommand.Remove.class,
            BundleCommand.Collect.class
        })
final class BundleCommand implements Callable<Integer> {
    private static final int LOCK_BYTES_MAX = 4 << 20;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getOut());
        return CommandLine.ExitCode.USAGE;
    }

    /** What is done with a catalogue. */
    private interface Work {
        void on(BundleCatalogue bundles) throws HydratorFailure, IOException, InterruptedException;
    }

    /** The data folder whose bundles are meant. */
    static final class Where {
        @Option(names = "--data", paramLabel = "DIR", description = "The server's data folder (default: .plane).")
        private @Nullable Path data;

        @Option(
                names = "--limit",
                paramLabel = "DURATION",
                description = "How long one step of an installation may take, ISO 8601 (default: ${DEFAULT-VALUE}).")
        private Duration limit = Duration.ofMinutes(10);

        private int with(CommandSpec spec, Work work) {
            PrintWriter err = spec.commandLine().getErr();
            try {
                work.on(BundleCatalogue.of(
                        DataFolder.of(Optional.ofNullable(data)).root(), Optional.empty(), limit, line -> {
                            err.println(line);
                            err.flush();
                        }));
                return 0;
            } catch (HydratorFailure e) {
                throw new CommandFailed(sentence(String.valueOf(e.getMessage())), e);
            } catch (IOException e) {
                throw new CommandFailed("The bundles cannot be read: " + e.getMessage(), e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CommandFailed("Interrupted.", e);
            }
        }

        private static String sentence(String text) {
            return text.substring(0, 1).toUpperCase(java.util.Locale.ROOT) + text.substring(1) + ".";
        }
    }

    private static void print(PrintWriter out, BundleCatalogue.Bundle bundle) throws IOException {
        out.printf(
                "%-20s %-8s %4d packages  %s%n",
                bundle.name(),
                bundle.origin(),
                bundle.packages(),
                bundle.installed()
                        ? (BundleCatalogue.bytes(bundle.folder()) >> 20) + " MiB in "
                                + bundle.folder().getFileName()
                        : "not installed yet");
    }

    @Command(name = "list", description = "Shows all bundles.")
    static final class Show implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Where where = new Where();

        @Override
        public Integer call() {
            return where.with(spec, bundles -> {
                for (BundleCatalogue.Bundle bundle : bundles.list()) {
                    print(spec.commandLine().getOut(), bundle);
                }
            });
        }
    }

    @Command(
            name = "add",
            description = {
                "Installs a bundle from a lock file and offers it to projects.",
                "The lock file names exact versions with hashes, as 'uv pip compile --generate-hashes' or"
                        + " 'pip-compile --generate-hashes' writes it, and holds aiel-sdk, aiel-runtime, jsonschema and packaging."
            })
    static final class Add implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Where where = new Where();

        @Parameters(index = "0", paramLabel = "NAME", description = "A new name: lower-case letters, digits, hyphens.")
        private String name = "";

        @Parameters(index = "1", paramLabel = "LOCKFILE", description = "The lock file.")
        private Path lock = Path.of("");

        @Option(
                names = "--import",
                paramLabel = "MODULE",
                description = "A module to import once, before workers start; may be repeated.")
        private List<String> imports = List.of();

        @Override
        public Integer call() {
            return where.with(spec, bundles -> {
                if (Files.size(lock) > LOCK_BYTES_MAX) {
                    throw new CommandFailed("The lock file has more than " + LOCK_BYTES_MAX + " bytes.");
                }
                print(spec.commandLine().getOut(), bundles.add(name, Files.readAllBytes(lock), imports));
            });
        }
    }

    @Command(name = "install", description = "Installs a bundle now, so that no project has to wait for it.")
    static final class Install implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Where where = new Where();

        @Parameters(index = "0", paramLabel = "NAME", description = "The bundle.")
        private String name = "";

        @Override
        public Integer call() {
            return where.with(spec, bundles -> print(spec.commandLine().getOut(), bundles.install(name)));
        }
    }

    @Command(
            name = "remove",
            description =
                    "Forgets an added bundle. Snapshots that were validated with it cannot run until it is added again.")
    static final class Remove implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Where where = new Where();

        @Parameters(index = "0", paramLabel = "NAME", description = "The bundle.")
        private String name = "";

        @Override
        public Integer call() {
            return where.with(spec, bundles -> {
                bundles.remove(name);
                spec.commandLine().getOut().println("Removed. Its files go with ./plane bundle gc.");
            });
        }
    }

    @Command(
            name = "gc",
            description =
                    "Deletes installed bundles that nothing names any more and no running server on this machine uses.")
    static final class Collect implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Where where = new Where();

        @Override
        public Integer call() {
            return where.with(spec, bundles -> {
                List<Path> deleted = bundles.collect();
                deleted.forEach(folder -> spec.commandLine().getOut().println("Deleted " + folder.getFileName()));
                spec.commandLine().getOut().println(deleted.isEmpty() ? "Nothing to delete." : "Done.");
            });
        }
    }
}
