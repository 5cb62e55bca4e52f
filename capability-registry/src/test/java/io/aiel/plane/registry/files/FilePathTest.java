package io.aiel.plane.registry.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FilePathTest {
    static List<String> bad() {
        return Stream.of(
                        List.of("", "/", "/a", "//a", "a//b", "a/", "a/b/", "/etc/passwd", "//", "a///b"),
                        List.of(
                                ".",
                                "..",
                                "./a",
                                "../a",
                                "a/.",
                                "a/..",
                                "a/../b",
                                "a/./b",
                                "../../etc/passwd",
                                "a/b/../../.."),
                        List.of("a\\b", "..\\a", "C:\\a", "\\", "a/b\\..\\c"),
                        List.of(
                                "a\u0000",
                                "\u0000",
                                "a\u0000.py",
                                "a\nb",
                                "a\rb",
                                "a\tb",
                                "a\u001bb",
                                "a\u007fb",
                                "a\u0085b"),
                        List.of("a\u200bb", "a\u202eb", "\ufeffa", "a\u2028b", "a\u2029b", "a\u200db", "a\uE000\uFFFF"),
                        List.of("a\ud800b", "\udc00", "e\u0301.py", "A\u030a", "\u212b"),
                        List.of(".git/config", "a/.git/hooks/x", ".GIT/config", ".git", "git~1/x", ".aiel/state.json"),
                        List.of(".venv/bin/python", "pkg/__pycache__/m.pyc", "__pycache__/m.pyc", ".Venv/x", "x/.aiel"),
                        List.of("a./b", "a..", "a.py.", "a /b", "a ", "x/... ", "..."),
                        List.of(
                                "con",
                                "AUX.py",
                                "pkg/nul.tar.gz",
                                "Com1",
                                "lpt9.txt",
                                "COM\u00b9",
                                "prn .txt",
                                "conin$"),
                        List.of(
                                "a:b",
                                "C:a",
                                ".git::$INDEX_ALLOCATION",
                                "a*b",
                                "what?.md",
                                "a<b",
                                "a>b",
                                "a|b",
                                "a\"b"),
                        List.of("a\u3164b", "a\u034fb", "a\u115fb", "a\uffa0b", "\udb40\udd00a"),
                        List.of(
                                "a".repeat(256),
                                "é".repeat(128),
                                "a/".repeat(32) + "a",
                                "ab/".repeat(200) + "a",
                                "a/".repeat(300)))
                .flatMap(List::stream)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("bad")
    void refusesWhatNoFileMayBeCalled(String path) {
        assertThatExceptionOfType(InvalidPath.class)
                .isThrownBy(() -> FilePath.parse(path))
                .withMessageMatching("(?s).{10,}");
    }

    @Test
    void knowsAtLeastFortyBadPaths() {
        assertThat(bad()).doesNotHaveDuplicates().hasSizeGreaterThanOrEqualTo(40);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a",
                "entry_point.py",
                "a/b/c.py",
                ".env",
                ".gitignore",
                ".aielignore",
                "..a",
                "a b.py",
                "é.py",
                "日本/語.txt",
                "x/.github/y",
                "a%2Fb",
                "~",
                "-rf",
                "console.py",
                "auxiliary/comet.py",
                "com10",
                "[a](b){c}!#$&'+,;=@^`~%.py",
                "😀.py",
                "❤\ufe0f.svg"
            })
    void keepsOrdinaryPathsAsTheyAre(String path) {
        assertThat(FilePath.parse(path)).hasToString(path);
    }

    @Test
    void allowsExactlyTheLimits() {
        assertThat(FilePath.parse("a".repeat(255)).directories()).isEmpty();
        assertThat(FilePath.parse("a/".repeat(31) + "a").directories()).hasSize(31);
    }

    @Test
    void foldsLettersThatDifferInCaseAloneToTheSame() {
        assertThat(FilePath.parse("Straße/ΣΊΓΜΑΣ.py").folded())
                .isEqualTo(FilePath.parse("strasse/σίγμας.PY").folded())
                .isEqualTo(FilePath.parse("STRA\u1e9eE/ΣΊΓΜΑΣ.py").folded());
    }
}
