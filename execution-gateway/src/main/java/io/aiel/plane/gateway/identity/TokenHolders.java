package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.execution.TokenStanding;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TokenId;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What the holders of tokens may do now, for what was asked for earlier: as {@link Authentication} remembers it of one (two seconds at most, less
 * after a revocation), as the database says of many. Thread-safe.
 */
@Singleton
public class TokenHolders implements TokenStanding {
    private final Authentication authentication;

    TokenHolders(Authentication authentication) {
        this.authentication = authentication;
    }

    @Override
    public Uni<Optional<Principal>> now(TokenId token, ProjectScope scope) {
        return authentication
                .holder(token)
                .map(found -> found.filter(caller -> reaches(caller, scope)).map(caller -> caller.inProject(scope)));
    }

    @Override
    public Uni<Map<Held, Principal>> now(Set<Held> all) {
        return authentication
                .holders(all.stream().map(Held::token).collect(Collectors.toSet()))
                .map(holders -> {
                    Map<Held, Principal> now = new HashMap<>();
                    for (Held one : all) {
                        Caller caller = holders.get(one.token());
                        if (caller != null && reaches(caller, one.scope())) {
                            now.put(one, caller.inProject(one.scope()));
                        }
                    }
                    return now;
                });
    }

    /** Whether the caller may know of the project. */
    static boolean reaches(Caller caller, ProjectScope scope) {
        return caller.tenant().equals(scope.tenant()) && caller.maySee(scope.workspace(), scope.project());
    }
}
