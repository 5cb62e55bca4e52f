package io.aiel.plane.gateway.mcp;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import java.util.regex.Pattern;

/**
 * What a capability is called as a tool. A name depends on its capability alone, never on what else there is: a push that adds a tool must
 * not give a name that clients know to another one. Names are of the letters that the protocol asks for (tools, section Tool Names).
 *
 * <p>At the endpoint of one server a tool has its own name. At the project's, a server's tool is {@code server.tool}, and a plain tool has
 * its own name. Where that would leave the protocol's letters, or where a dot within a part would make it ambiguous, the name is made of
 * what is allowed of it, a dot, and twelve digits of the capability's digest.
 */
final class ToolNames {
    private static final Pattern NAME = Pattern.compile("[0-9A-Za-z_.-]{1,128}");
    private static final Pattern PART = Pattern.compile("[0-9A-Za-z_-]{1,127}");
    private static final Pattern NOT_ALLOWED = Pattern.compile("[^0-9A-Za-z_.-]");
    private static final int STEM_MAX = 110;
    private static final int DIGITS = 12;

    private ToolNames() {}

    /** At the endpoint of the tool's server. */
    static String atServer(Capability tool) {
        String own = ownName(tool);
        return NAME.matcher(own).matches() ? own : derived(own, tool.ref());
    }

    /** At the project's endpoint. */
    static String atProject(Capability tool) {
        String own = ownName(tool);
        if (tool.ref().kind() != CapabilityKind.MCP) {
            return PART.matcher(own).matches() ? own : derived(own, tool.ref());
        }
        String server = tool.server().orElse("");
        String name = server + "." + own;
        boolean plain = PART.matcher(server).matches() && PART.matcher(own).matches();
        return plain && NAME.matcher(name).matches() ? name : derived(name, tool.ref());
    }

    /** What its author called it: without its server, for a server's tool. */
    static String ownName(Capability tool) {
        String name = tool.ref().name();
        return tool.server()
                .filter(_ -> tool.ref().kind() == CapabilityKind.MCP)
                .map(server -> name.substring(server.length() + 1))
                .orElse(name);
    }

    private static String derived(String name, CapabilityRef ref) {
        String allowed = NOT_ALLOWED.matcher(name).replaceAll("_");
        String stem = allowed.length() > STEM_MAX ? allowed.substring(0, STEM_MAX) : allowed;
        return stem + "." + Digest.of(ref.toString()).hex().substring(0, DIGITS);
    }
}
