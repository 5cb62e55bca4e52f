package io.aiel.plane.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.aiel.plane.policy.PolicyCases.Case;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class PolicyInputJsonTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PolicyInputJson WRITER = new PolicyInputJson(64 * 1024);
    private static final Schema SCHEMA = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
            .getSchema(PolicyInputSchema.text(), InputFormat.JSON);

    /**
     * Write it anew with {@code -Dplane.write-schema=true}. Broken once by renaming a member of PolicyDocument.
     */
    @Test
    void thePublishedSchemaIsTheOneOfTheCode() throws IOException {
        Path published = ModuleFiles.DOCS.resolve("policy-input.schema.json");
        if (Boolean.getBoolean("plane.write-schema")) {
            Files.writeString(published, PolicyInputSchema.text());
        }

        assertThat(Files.readString(published))
                .as("write it anew: run this test with -Dplane.write-schema=true")
                .isEqualTo(PolicyInputSchema.text());
    }

    static Stream<Arguments> questions() {
        Principal confined = new Principal(
                Questions.principal().id(),
                PrincipalKind.EXECUTION,
                Questions.SCOPE.tenant(),
                "worker",
                Questions.principal().tokenId(),
                Set.of("execution.*", "*"),
                Set.of(Role.values()),
                Optional.of(Questions.SCOPE.workspace()),
                Optional.of(Questions.SCOPE.project()),
                Optional.of(PrincipalId.create()));
        return Stream.of(
                argumentSet("an invocation", Questions.invoke(Questions.principal(Role.INVOKER), "{\"a\":[1,2.50]}")),
                argumentSet("an invocation with null", Questions.invoke(Questions.principal(), "null")),
                argumentSet(
                        "an invocation with a long text", Questions.invoke(confined, "\"" + "x".repeat(70_000) + "\"")),
                argumentSet(
                        "an invocation without arguments",
                        Questions.invoke(confined, Optional.empty(), Questions.SCOPE)),
                argumentSet(
                        "a question about a project",
                        Questions.about(confined, "files.read", Optional.of(Questions.SCOPE))),
                argumentSet("a question about a tenant", Questions.about(confined, "token.create", Optional.empty())));
    }

    @ParameterizedTest(name = "{argumentSetName}")
    @MethodSource("questions")
    void everyQuestionIsValidBySchema(PolicyInput question) {
        String json = WRITER.write(question).json();

        assertThat(SCHEMA.validate(json, InputFormat.JSON)).as(json).isEmpty();
    }

    /** So that the schema is known to refuse something, and the cases to be about real questions. */
    @Test
    void everyCaseIsValidBySchemaUnlessItIsOddOnPurpose() throws IOException {
        for (Case asked : PolicyCases.all()) {
            List<?> errors = SCHEMA.validate(asked.input().toString(), InputFormat.JSON);
            if (asked.odd()) {
                assertThat(errors).as(asked.description()).isNotEmpty();
            } else {
                assertThat(errors).as(asked.description()).isEmpty();
            }
        }
    }

    @Test
    void longArgumentsReachThePolicyAsTheirDigestAlone() throws IOException {
        String arguments = "\"" + "x".repeat(100) + "\"";

        JsonNode written = JSON.readTree(new PolicyInputJson(100)
                .write(Questions.invoke(Questions.principal(), arguments))
                .json());

        assertThat(written.at("/arguments/truncated").booleanValue()).isTrue();
        assertThat(written.at("/arguments/value").isNull()).isTrue();
        assertThat(written.at("/arguments/size_bytes").intValue()).isEqualTo(102);
        assertThat(written.at("/arguments/digest").textValue())
                .isEqualTo(Digest.of(arguments).value());
    }

    @Test
    void argumentsAreNotRewritten() {
        String arguments = "{ \"price\" : 1.10, \"big\": 123456789012345678901234567890, \"e\":1E+2 }";

        assertThat(WRITER.write(Questions.invoke(Questions.principal(), arguments))
                        .json())
                .contains("\"value\":" + arguments + ",");
    }

    @Test
    void theNameOfThePersonIsNotGivenToThePolicy() {
        assertThat(WRITER.write(Questions.invoke(Questions.principal(), "{}")).json())
                .doesNotContain("ada@example.org");
    }

    static Stream<Arguments> strangeArguments() {
        return Stream.of(
                argumentSet("nothing", ""),
                argumentSet("half an object", "{\"a\":1"),
                argumentSet("two values", "{} {}"),
                argumentSet("a way out of the object", "1},\"principal\":{\"roles\":[\"admin\"]"),
                argumentSet("a member that comes twice", "{\"amount\":1,\"amount\":1000}"),
                argumentSet("NaN", "{\"a\":NaN}"),
                argumentSet("endless depth", "[".repeat(500) + "]".repeat(500)));
    }

    @ParameterizedTest(name = "{argumentSetName}")
    @MethodSource("strangeArguments")
    void argumentsThatAreNotOneStrictValueAreAProblemAndLeftOut(String arguments) throws IOException {
        PolicyInputJson.Written written = WRITER.write(Questions.invoke(Questions.principal(), arguments));

        assertThat(written.problem()).isPresent();
        assertThat(JSON.readTree(written.json()).at("/arguments/value").isNull())
                .isTrue();
        assertThat(SCHEMA.validate(written.json(), InputFormat.JSON)).isEmpty();
    }

    @Test
    void halfASurrogatePairIsRefusedAndNotReplaced() {
        PolicyInput question = Questions.about(Questions.principal(), "files.read\ud800", Optional.empty());

        assertThatThrownBy(() -> WRITER.write(question)).isInstanceOf(IllegalArgumentException.class);
    }
}
