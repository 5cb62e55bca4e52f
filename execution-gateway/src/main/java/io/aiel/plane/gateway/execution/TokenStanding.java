package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TokenId;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Says what the holder of a token may do now, for what runs later than it was asked for. Thread-safe. */
@FunctionalInterface
public interface TokenStanding {
    /**
     * The holder with the roles and scopes that hold in the project now; empty when the token is revoked or expired, or its holder disabled, or
     * may not know of the project any more. As this server remembers it, two seconds at most. Fails when it is not remembered and cannot be looked up.
     */
    Uni<Optional<Principal>> now(TokenId token, ProjectScope scope);

    /** A token, and the project that it is used for. */
    record Held(TokenId token, ProjectScope scope) {}

    /** The same, whatever this server remembers: for what cannot be asked again. */
    default Uni<Optional<Principal>> afresh(TokenId token, ProjectScope scope) {
        Held one = new Held(token, scope);
        return now(Set.of(one)).map(found -> Optional.ofNullable(found.get(one)));
    }

    /** The same of many at once, as it is now: who remembers has to look these up. Whoever is not in the answer would be empty. */
    default Uni<Map<Held, Principal>> now(Set<Held> all) {
        return Multi.createFrom()
                .iterable(all)
                .onItem()
                .transformToUniAndConcatenate(
                        one -> now(one.token(), one.scope()).map(now -> Map.entry(one, now)))
                .filter(found -> found.getValue().isPresent())
                .collect()
                .asMap(Map.Entry::getKey, found -> found.getValue().orElseThrow());
    }
}
