package io.aiel.plane.gateway.grpc;

import com.google.protobuf.ByteString;
import io.aiel.grpc.plane.v1.Capability;
import io.aiel.grpc.plane.v1.CapabilityServiceGrpc;
import io.aiel.grpc.plane.v1.GetCapabilityRequest;
import io.aiel.grpc.plane.v1.ListCapabilitiesRequest;
import io.aiel.grpc.plane.v1.ListCapabilitiesResponse;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Target;
import io.aiel.plane.registry.snapshot.Deployments;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.smallrye.mutiny.Uni;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;

/** The methods of {@code CapabilityService}. Thread-safe; called on an event loop and waits for nothing. */
final class CapabilityMethods {
    private static final Optional<String> READ = Optional.of("capability.read");

    private final CapabilityRegistry registry;

    CapabilityMethods(CapabilityRegistry registry) {
        this.registry = registry;
    }

    GuardedService addTo(GuardedService service) {
        return service.unary(
                        CapabilityServiceGrpc.getListMethod(),
                        new Method<>(
                                READ,
                                ListCapabilitiesRequest::getWorkspace,
                                ListCapabilitiesRequest::getProject,
                                _ -> "",
                                this::list))
                .unary(
                        CapabilityServiceGrpc.getGetMethod(),
                        new Method<>(
                                READ,
                                GetCapabilityRequest::getWorkspace,
                                GetCapabilityRequest::getProject,
                                CapabilityMethods::resource,
                                this::get));
    }

    /** As over HTTP, where kind and name are in the path. */
    private static String resource(GetCapabilityRequest asked) {
        return Kinds.of(asked.getKind())
                .map(kind -> kind.wireName() + "/" + asked.getName())
                .orElse("");
    }

    private Uni<ListCapabilitiesResponse> list(Call call, ListCapabilitiesRequest asked) {
        Predicate<io.aiel.plane.vocabulary.Capability> wanted = wanted(asked);
        Target target = switch (asked.getTargetCase()) {
            case ENVIRONMENT -> environment(asked.getEnvironment());
            case SNAPSHOT -> snapshot(asked.getSnapshot());
            case TARGET_NOT_SET -> environment(Deployments.PUBLISHED_TO);
        };
        return registry.capabilities(call.scope(), target).map(all -> {
            ListCapabilitiesResponse.Builder response = ListCapabilitiesResponse.newBuilder();
            all.stream().filter(wanted).map(CapabilityMethods::message).forEach(response::addCapabilities);
            return response.build();
        });
    }

    private static Predicate<io.aiel.plane.vocabulary.Capability> wanted(ListCapabilitiesRequest asked) {
        Optional<CapabilityKind> kind = Kinds.of(asked.getKind());
        Optional<String> tag = Texts.given("tag", asked.getTag());
        Optional<String> query = Texts.given("query", asked.getQuery()).map(text -> text.toLowerCase(Locale.ROOT));
        return capability -> kind.map(only -> capability.ref().kind() == only).orElse(true)
                && tag.map(capability.tags()::contains).orElse(true)
                && query.map(text -> says(capability, text)).orElse(true);
    }

    private static boolean says(io.aiel.plane.vocabulary.Capability capability, String text) {
        return capability.ref().name().toLowerCase(Locale.ROOT).contains(text)
                || capability.description().toLowerCase(Locale.ROOT).contains(text);
    }

    private static Target environment(String name) {
        return new Target.Environment(Texts.given("environment", name)
                .orElseThrow(() -> Refusal.invalid("environment", "must have at least one character")));
    }

    private static Target snapshot(String digest) {
        return new Target.Snapshot(Refusal.orNotFound(() -> new Digest(digest)));
    }

    private Uni<Capability> get(Call call, GetCapabilityRequest asked) {
        CapabilityKind kind =
                Kinds.of(asked.getKind()).orElseThrow(() -> Refusal.invalid("kind", "is needed, as names are by kind"));
        Target target = switch (asked.getTargetCase()) {
            case ENVIRONMENT -> environment(asked.getEnvironment());
            case SNAPSHOT -> snapshot(asked.getSnapshot());
            case TARGET_NOT_SET -> environment(Deployments.PUBLISHED_TO);
        };
        return registry.capabilities(call.scope(), target)
                .map(all -> all.stream()
                        .filter(capability -> capability.ref().kind() == kind
                                && capability.ref().name().equals(asked.getName()))
                        .findFirst()
                        .map(CapabilityMethods::message)
                        .orElseThrow(Refusal::notFound));
    }

    private static Capability message(io.aiel.plane.vocabulary.Capability capability) {
        return Capability.newBuilder()
                .setKind(Kinds.of(capability.ref().kind()))
                .setName(capability.ref().name())
                .setDescription(capability.description())
                .setVersion(capability.version())
                .addAllTags(capability.tags())
                .setInputSchemaJson(bytes(capability.inputSchema()))
                .setOutputSchemaJson(bytes(capability.outputSchema()))
                .addAllAllowedActions(capability.allowedActions())
                .addAllAllowedRoutes(capability.allowedRoutes())
                .setContractDigest(capability.contractDigest().value())
                .setMethod(capability.method().orElse(""))
                .setPath(capability.path().orElse(""))
                .setServer(capability.server().orElse(""))
                .setFile(capability.file())
                .setLine(capability.line())
                .build();
    }

    private static ByteString bytes(Optional<JsonText> schema) {
        return schema.map(text -> ByteString.copyFromUtf8(text.value())).orElse(ByteString.EMPTY);
    }
}
