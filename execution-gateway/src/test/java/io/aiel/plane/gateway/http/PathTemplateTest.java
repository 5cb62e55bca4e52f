package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Paths and the templates that they belong to. */
class PathTemplateTest {

    @ParameterizedTest
    @CsvSource({
        "/v1/tenants, /v1/tenants, true",
        "/v1/tenants, /v1/tenants/, true",
        "/v1/tenants, /v1/tenants//, false",
        "/v1/tenants, /v1/tenantsx, false",
        "/v1/tenants, /v1/tenant, false",
        "/v1/tenants, /v1, false",
        "/v1/tenants, '', false",
        "/v1, /, false",
        "/{a}, '', false",
        "/v1/{a}/x, /v1/1/x, true",
        "/v1/{a}/x, /v1/1/x/, true",
        "/v1/{ a }/x, /v1/1%2F2/x, true",
        "/v1/{a}/x, /v1//x, false",
        "/v1/{a}/x, /v1/1/2/x, false",
        "/v1/{a}, /v1/, false",
        "/v1/{a}, /v1/1/2, false",
        "/files/{path: .+}, /files/a/b/c, true",
        "/files/{path: .+}, /files/, false",
        "/files/{id: [0-9]+}/x, /files/12/x, true",
        "/files/{id: [0-9]+}/x, /files/ab/x, false",
        "/files/{name}.txt, /files/a.txt, true",
        "/files/{name}.txt, /files/a.csv, false",
        "/x/{id}/files/{path: .+}, /x/1/files/a/b, true",
        "/x/{id}/files/{path: .+}, /x//files/a/b, false",
        "/x/{id}/files/{path: .+}, /x/1/filesx/a, false",
        "/x/{id}/files/{path: .+}, /x/1/files, false",
        "/x/{id}:run/y, /x/1:run/y, true",
        "/x/{id}:run/y, /x/1/y, false"
    })
    void aPathBelongsToItsTemplate(String template, String path, boolean belongs) {
        PathTemplate asked = new PathTemplate(template);
        assertThat(asked.matches(path)).isEqualTo(belongs);
        if (belongs && asked.size().isPresent()) {
            assertThat(asked.size()).as("what it is looked up by").hasValue(PathTemplate.sizeOf(path));
        }
    }

    @Test
    void hasNoSizeWhenItsPathsHaveNot() {
        assertThat(new PathTemplate("/v1/{a}/x").size()).hasValue(3);
        assertThat(new PathTemplate("/files/{path: .+}").size()).isEmpty();
        assertThat(new PathTemplate("/files/{id}:cancel").size()).isEmpty();
    }

    @Test
    void tellsAnActionOnAThingFromTheThing() {
        assertThat(new PathTemplate("/executions/{execution}:cancel").isAction())
                .isTrue();
        assertThat(new PathTemplate("/executions/{execution}:cancel").matches("/executions/a:cancel"))
                .isTrue();
        assertThat(new PathTemplate("/executions/{execution}").isAction()).isFalse();
        assertThat(new PathTemplate("/executions:cancel").isAction()).isFalse();
        assertThat(new PathTemplate("/{a}:b/c").isAction()).isFalse();
    }
}
