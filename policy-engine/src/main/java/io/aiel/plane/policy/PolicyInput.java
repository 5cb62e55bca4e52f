package io.aiel.plane.policy;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.time.Instant;
import java.util.Optional;

/**
 * The question put to the policy: who wants to do what to which thing, with which arguments, in which context. Its JSON form
 * is versioned and has a generated schema ({@code docs/reference/policy-input.schema.json}).
 *
 * @param principal who
 * @param action what, such as {@code execution.invoke}, {@code files.write}, {@code audit.read}
 * @param scope the project concerned; empty for calls about a tenant
 * @param capability the resolved capability; empty for actions that run nothing
 * @param resourceName names the thing where it is not a capability, such as a path or an id
 * @param arguments the event of an invocation; cut above a size, then only its digest is given
 * @param argumentsDigest over the arguments as received
 * @param requestedNetwork the caller asked for {@code capabilities.network}
 * @param requestedSubprocess the caller asked for {@code capabilities.subprocess}
 * @param timeoutMs what the caller asked for, milliseconds; 0 for actions that run nothing
 * @param time now
 * @param sourceAddress the peer's address; empty text when not known
 * @param traceId W3C trace id; empty text when none
 * @param requestId the caller's or ours
 * @param workspace the workspace concerned where there is no project, as for {@code project.create}; ignored when {@code
 *     scope} is there
 */
public record PolicyInput(
        Principal principal,
        String action,
        Optional<ProjectScope> scope,
        Optional<ResolvedCapability> capability,
        String resourceName,
        Optional<JsonText> arguments,
        Optional<Digest> argumentsDigest,
        boolean requestedNetwork,
        boolean requestedSubprocess,
        int timeoutMs,
        Instant time,
        String sourceAddress,
        String traceId,
        String requestId,
        Optional<WorkspaceId> workspace) {

    /** A question about a project, or about nothing smaller than the tenant. */
    public PolicyInput(
            Principal principal,
            String action,
            Optional<ProjectScope> scope,
            Optional<ResolvedCapability> capability,
            String resourceName,
            Optional<JsonText> arguments,
            Optional<Digest> argumentsDigest,
            boolean requestedNetwork,
            boolean requestedSubprocess,
            int timeoutMs,
            Instant time,
            String sourceAddress,
            String traceId,
            String requestId) {
        this(
                principal,
                action,
                scope,
                capability,
                resourceName,
                arguments,
                argumentsDigest,
                requestedNetwork,
                requestedSubprocess,
                timeoutMs,
                time,
                sourceAddress,
                traceId,
                requestId,
                Optional.empty());
    }
}
