package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names are found where PostgreSQL would take them for names of values, and nowhere else. */
class NamedSqlTest {
    @Test
    void numbersEachNameOnce() {
        NamedSql sql = NamedSql.parse("select * from t where a = :a and b = :b_2 and c = :a");

        assertThat(sql.names()).containsExactly("a", "b_2");
        assertThat(sql.numbered()).isEqualTo("select * from t where a =  $1  and b =  $2  and c =  $1 ");
        assertThat(sql.with(List.of("integer", "text")))
                .contains("a =  ($1::text)::integer ")
                .contains("b =  ($2::text)::text ");
    }

    /** Seen to fail: without the reading of dollar quotes. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "select ':x'",
                "select 'it''s :x'",
                "select E'\\':x'",
                "select e'\\\\', $$:x$$",
                "select $tag$ :x $$ $other$ $tag$",
                "select \":x\" from t",
                "select \"a\"\":x\" from t",
                "select 1 -- :x",
                "select 1 /* :x /* :x */ :x */",
                "select '1'::int",
                "select a[1:2] from t",
                "select U&'\\003a :x'",
                "select 'a'\n':x'",
                "select a$b$ from t",
            })
    void takesNoNameOutOfStringsNamesCommentsAndCasts(String text) {
        assertThat(NamedSql.parse(text).names()).isEmpty();
    }

    @Test
    void findsNamesBetweenAllOfThem() {
        NamedSql sql =
                NamedSql.parse("select ':no', $$ ' $$, :a::int, \"it's\" /* ' */, E'\\'' || :b -- '\n, :c;  -- end");

        assertThat(sql.names()).containsExactly("a", "b", "c");
        assertThat(sql.numbered()).doesNotContain(";").doesNotContain("end");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "select 1; drop table t",
                "select 1;;",
                "select 1; select 2",
                "select ';' ; -- x\n delete from t",
                "insert into t values (1)",
                "update t set a = 1",
                "delete from t",
                "merge into t using s on true when matched then delete",
                "do $$ begin end $$",
                "call p()",
                "copy (select 1) to program 'true'",
                "copy t from stdin",
                "set transaction read write",
                "commit",
                "rollback",
                "begin",
                "explain analyze select 1",
                "lock table t",
                "/* select */ truncate t",
                "(delete from t)",
                "",
                "-- nothing",
                "select 1) as plane_row limit 1) x; drop table t; --",
                "select 1) as x union (select 2",
                "select (1",
                "select 'open",
                "select \"open",
                "select $a$ open $b$",
                "select 1 /* open",
                "select 1 /* /* */",
                "select $1",
                "select E'a'\n'\\'; drop table t --'",
                "select E'a' -- comment\n 'b'",
                "select 1e'\\'; drop table t --'",
                "select 1$a$ ' $a$",
                "select 'nul\0'",
            })
    void refusesWhatIsNotOneReadingStatement(String text) {
        assertThatThrownBy(() -> NamedSql.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("The statement ");
    }
}
