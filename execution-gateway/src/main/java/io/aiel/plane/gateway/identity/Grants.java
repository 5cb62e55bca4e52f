package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Role;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Set;

/** Nobody gives what they do not have: the checks of everything that hands out roles or scopes. */
final class Grants {
    private Grants() {}

    /** Refuses unless the caller's token has every scope that is to be given. */
    static void checkScopes(Caller giver, Collection<String> given) {
        for (String scope : given) {
            if (!Scopes.covers(giver.scopes(), scope)) {
                throw tooMuch("the scope " + scope);
            }
        }
    }

    /** Refuses unless {@code held} has every role that is to be given. */
    static void checkRoles(Set<Role> held, Set<Role> given) {
        EnumSet<Role> missing = EnumSet.noneOf(Role.class);
        missing.addAll(given);
        missing.removeAll(held);
        if (!missing.isEmpty()) {
            throw tooMuch("the role " + missing.iterator().next().wireName());
        }
    }

    /** Refuses unless the role may be given where it is to hold: the giver has it there or around it. */
    static void checkGrant(Caller giver, Caller.Grant grant) {
        Set<Role> held = grant.workspace()
                .map(workspace -> giver.rolesIn(workspace, grant.project()))
                .orElseGet(giver::rolesInTenant);
        checkRoles(held, Set.of(grant.role()));
    }

    static Refusal tooMuch(String what) {
        return new Refusal(
                ErrorCode.PERMISSION_DENIED, "Nobody can give what they do not have; this token lacks " + what + ".");
    }
}
