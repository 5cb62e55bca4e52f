package io.aiel.plane.gateway.mcp;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.ResolvedCapability;
import java.util.Collections;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What there is at an endpoint, whoever asks. Immutable.
 *
 * @param snapshot what the tools are of; empty when nothing is deployed
 * @param tools by their names there
 */
record Offer(Optional<ResolvedCapability> snapshot, NavigableMap<String, Capability> tools) {
    Offer {
        tools = Collections.unmodifiableNavigableMap(tools);
    }

    /** Nothing is deployed. */
    static Offer nothing() {
        return new Offer(Optional.empty(), new TreeMap<>());
    }

    /** All MCP tools and plain tools of a snapshot. */
    static Offer ofProject(ResolvedCapability snapshot, List<Capability> capabilities) {
        TreeMap<String, Capability> tools = new TreeMap<>();
        capabilities.stream()
                .filter(one ->
                        one.ref().kind() == CapabilityKind.MCP || one.ref().kind() == CapabilityKind.TOOL)
                .forEach(tool -> tools.putIfAbsent(ToolNames.atProject(tool), tool));
        return new Offer(Optional.of(snapshot), tools);
    }

    /** The tools of one server of a snapshot. */
    static Offer ofServer(ResolvedCapability snapshot, List<Capability> capabilities, String server) {
        TreeMap<String, Capability> tools = new TreeMap<>();
        capabilities.stream()
                .filter(one -> one.ref().kind() == CapabilityKind.MCP)
                .filter(one -> one.server().filter(server::equals).isPresent())
                .forEach(tool -> tools.putIfAbsent(ToolNames.atServer(tool), tool));
        return new Offer(Optional.of(snapshot), tools);
    }

    /** What an invocation of the tool would run. */
    ResolvedCapability target(Capability tool) {
        ResolvedCapability of = snapshot.orElseThrow();
        return new ResolvedCapability(of.scope(), of.environment(), of.snapshot(), of.bundle(), Optional.of(tool));
    }
}
