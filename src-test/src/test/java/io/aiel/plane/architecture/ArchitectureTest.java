package io.aiel.plane.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Holds the rules of {@link PlaneRules} over the product, and shows for each that it can fail: the same rule, laid over the
 * counterexamples, must find a violation. So a rule that looks at nothing (a renamed package, an annotation that no longer
 * exists) breaks this test instead of passing for ever.
 */
class ArchitectureTest {
    private static final PlaneRules PRODUCT = new PlaneRules("io.aiel.plane");
    private static final PlaneRules COUNTEREXAMPLE = new PlaneRules("io.aiel.plane.architecture.counterexample");

    private static JavaClasses product;
    private static JavaClasses tests;
    private static JavaClasses counterexamples;

    @BeforeAll
    static void readTheClasses() {
        product = ProductClasses.main();
        tests = ProductClasses.tests();
        counterexamples = new ClassFileImporter().importPackages("io.aiel.plane.architecture.counterexample");
    }

    @TestFactory
    Stream<DynamicTest> holdsInTheProduct() {
        return PRODUCT.overProduct().entrySet().stream()
                .map(rule -> DynamicTest.dynamicTest(
                        rule.getKey(), () -> rule.getValue().check(product)));
    }

    @TestFactory
    Stream<DynamicTest> canFail() {
        return COUNTEREXAMPLE.overProduct().entrySet().stream()
                .map(rule -> DynamicTest.dynamicTest(rule.getKey(), () -> assertBroken(rule.getValue())));
    }

    @TestFactory
    Stream<DynamicTest> holdsInTheTests() {
        JavaClasses own = new ClassFileImporter()
                .importPackages("io.aiel.plane.scenarios", "io.aiel.plane.docs", "io.aiel.plane.architecture")
                .that(not(resideInAPackage("..counterexample..")));
        return PRODUCT.overTests().entrySet().stream()
                .flatMap(rule -> Stream.of(
                        DynamicTest.dynamicTest(
                                rule.getKey(), () -> rule.getValue().check(tests)),
                        DynamicTest.dynamicTest(
                                rule.getKey() + ", here too",
                                () -> rule.getValue().check(own))));
    }

    @TestFactory
    Stream<DynamicTest> canFailInTheTests() {
        return COUNTEREXAMPLE.overTests().entrySet().stream()
                .map(rule -> DynamicTest.dynamicTest(rule.getKey(), () -> assertBroken(rule.getValue())));
    }

    @Test
    void marksEachPackageAsNullSafe() {
        assertThat(PRODUCT.packagesWithoutNullMarked(product)).isEmpty();
    }

    /** The package of {@code util} has no package-info at all. */
    @Test
    void noticesAPackageThatIsNotMarked() {
        assertThat(COUNTEREXAMPLE.packagesWithoutNullMarked(counterexamples))
                .contains("io.aiel.plane.architecture.counterexample.util");
    }

    private static void assertBroken(ArchRule rule) {
        assertThatThrownBy(() -> rule.check(counterexamples))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("was violated");
    }
}
