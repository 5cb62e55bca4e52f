package io.aiel.plane.policy;

import com.fasterxml.jackson.annotation.JsonRawValue;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The policy input as a policy sees it: these records are its JSON form (member names in snake_case, every member always
 * there, null where there is nothing). A change of meaning raises {@link #VERSION}; a new member does not.
 */
record PolicyDocument(
        @Described("The version of this form; policies may refuse one they do not know.")
        int version,

        @Described("Who acts, as authentication established it.")
        Actor principal,

        @Described(value = "What is to be done, such as execution.invoke.", pattern = "^[a-z_]+(\\.[a-z_]+)+$")
        String action,

        @Described("What it is to be done to.") Resource resource,

        @Described("The event of an invocation; null for actions that run nothing.") @Nullable
        Arguments arguments,

        @Described("The circumstances.") Context context) {

    /** The version this code writes. */
    static final int VERSION = 1;

    record Actor(
            @Described(value = "The principal.", pattern = "^prn_[0-9a-f]{32}$")
            String id,

            @Described(
                    value = "What sort of actor it is.",
                    oneOf = {"user", "service", "execution"})
            String kind,

            @Described(value = "The only tenant the principal exists in.", pattern = "^ten_[0-9a-f]{32}$")
            String tenant,

            @Described(value = "The token that was presented.", pattern = "^tok_[0-9a-f]{32}$")
            String tokenId,

            @Described("What the token is limited to: action names, <area>.*, *, platform.*; sorted.")
            List<String> scopes,

            @Described(
                    value = "What the principal may be; sorted.",
                    oneOf = {"viewer", "invoker", "developer", "operator", "auditor", "admin"})
            List<String> roles,

            @Described(value = "Set when the token is confined to one workspace.", pattern = "^ws_[0-9a-f]{32}$")
            @Nullable
            String workspace,

            @Described(value = "Set when the token is confined to one project.", pattern = "^proj_[0-9a-f]{32}$")
            @Nullable
            String project,

            @Described(value = "For whom an execution acts.", pattern = "^prn_[0-9a-f]{32}$") @Nullable
            String onBehalfOf) {}

    record Resource(
            @Described(value = "The tenant it belongs to.", pattern = "^ten_[0-9a-f]{32}$")
            String tenant,

            @Described(
                    value = "The workspace; null for what belongs to the tenant itself.",
                    pattern = "^ws_[0-9a-f]{32}$")
            @Nullable
            String workspace,

            @Described(
                    value = "The project; null for what belongs to a workspace or the tenant itself.",
                    pattern = "^proj_[0-9a-f]{32}$")
            @Nullable
            String project,

            @Described("A path or an id, where it is not a capability; may be empty.")
            String name,

            @Described("The environment through which the capability was found; null when the caller named a snapshot.")
            @Nullable
            String environment,

            @Described("The code that is to run; null for actions that run nothing.") @Nullable
            Snapshot snapshot,

            @Described("The worker bundle of the snapshot; null for actions that run nothing.") @Nullable
            String bundle,

            @Described("The capability; null for actions that run none.") @Nullable
            InvokedCapability capability) {}

    record Snapshot(
            @Described(value = "The plane's content address of the snapshot.", pattern = "^sha256:[0-9a-f]{64}$")
            String digest,

            @Described("The snapshot id as the runtime computes it.")
            String snapshotId) {}

    record InvokedCapability(
            @Described(
                    value = "What sort of capability it is.",
                    oneOf = {"tool", "agent", "flow", "router", "http", "mcp"})
            String kind,

            @Described("Its name.") String name,

            @Described("The version its author gave it.") String version,

            @Described("The tags its author gave it.") List<String> tags,

            @Described("The integration actions it declares.")
            List<String> allowedActions,

            @Described("The routes it declares.") List<String> allowedRoutes,

            @Described(value = "Equal digests promise an equal contract.", pattern = "^sha256:[0-9a-f]{64}$")
            String contractDigest,

            @Described("The HTTP method, for kind http.") @Nullable
            String method,

            @Described("The HTTP path, for kind http.") @Nullable
            String path,

            @Described("The MCP server, for kind mcp.") @Nullable
            String server) {}

    record Arguments(
            @Described(value = "The arguments themselves; null when truncated.", anyJson = true) @JsonRawValue @Nullable
            String value,

            @Described(value = "Over the arguments as received.", pattern = "^sha256:[0-9a-f]{64}$")
            String digest,

            @Described("The size of the arguments, bytes of UTF-8.")
            int sizeBytes,

            @Described("Whether the value was left out because it is longer than the platform's limit.")
            boolean truncated) {}

    record Context(
            @Described("When the question was asked, RFC 3339 in UTC.")
            String time,

            @Described("The peer's address; empty when not known.")
            String sourceAddress,

            @Described("The W3C trace id; empty when there is none.")
            String traceId,

            @Described("The request's id.") String requestId,

            @Described("What the caller asks for beyond the call itself.")
            Requested requested) {}

    record Requested(
            @Described("Whether network access was asked for.")
            boolean network,

            @Described("Whether starting processes was asked for.")
            boolean subprocess,

            @Described("The run time asked for, milliseconds; 0 for actions that run nothing.")
            int timeoutMs) {}
}
