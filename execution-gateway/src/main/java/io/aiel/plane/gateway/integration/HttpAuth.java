package io.aiel.plane.gateway.integration;

import java.util.List;
import java.util.Optional;

/**
 * How the credentials of a connection get into a request: in a header and nowhere else. The members named are those of the credentials.
 *
 * @param when whether it is done so; of several the first is whose condition holds and whose members are there
 */
record HttpAuth(Optional<AnswerRule.Condition> when, Way way) {
    /** The ways. */
    sealed interface Way {
        /** As a description and the scope of templates name it. */
        String name();

        /** What it needs of the credentials. */
        default List<String> members() {
            return List.of();
        }

        /** Nothing is sent. */
        record None() implements Way {
            @Override
            public String name() {
                return "none";
            }
        }

        /** A bearer token that is none: what an emulator takes. */
        record Emulator(String token) implements Way {
            @Override
            public String name() {
                return "emulator";
            }
        }

        /** RFC 6750. */
        record Bearer(String token) implements Way {
            @Override
            public String name() {
                return "bearer";
            }

            @Override
            public List<String> members() {
                return List.of(token);
            }
        }

        /** RFC 7617. */
        record Basic(JsonTemplate user, String password) implements Way {
            @Override
            public String name() {
                return "basic";
            }

            @Override
            public List<String> members() {
                return List.of(password);
            }
        }

        /** A header of the system's own. */
        record Header(JsonTemplate header, String value) implements Way {
            @Override
            public String name() {
                return "header";
            }

            @Override
            public List<String> members() {
                return List.of(value);
            }
        }

        /** A token that a signed assertion was changed into (RFC 7523). */
        record ServiceAccount(JsonTemplate email, String privateKey, JsonTemplate tokenUrl, String scope)
                implements Way {
            @Override
            public String name() {
                return "service_account";
            }

            @Override
            public List<String> members() {
                return List.of(privateKey);
            }
        }
    }
}
