package io.aiel.plane.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import io.aiel.plane.vocabulary.Decision;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.NullMarked;

/**
 * The architecture rules, over a root package, so that the same rules can be shown to fail on the counterexamples below
 * {@code architecture.counterexample}, which break each of them once.
 */
final class PlaneRules {
    private static final String RESOURCE_METHOD = "jakarta.ws.rs.HttpMethod";

    private final String root;

    PlaneRules(String root) {
        this.root = root;
    }

    /** Rules over the classes of the product, by the sentence that they hold. */
    Map<String, ArchRule> overProduct() {
        Map<String, ArchRule> rules = new LinkedHashMap<>();
        rules.put("the registry's module knows no other module", knowsOnly("registry", "vocabulary"));
        rules.put(
                "the policy engine knows neither hydrator, audit nor gateway",
                knowsOnly("policy", "vocabulary", "registry"));
        rules.put(
                "the hydrator knows neither policy, audit nor gateway",
                knowsOnly("hydrator", "vocabulary", "registry"));
        rules.put(
                "the audit pipeline knows neither policy, hydrator nor gateway",
                knowsOnly("audit", "vocabulary", "registry"));
        rules.put("the vocabulary is plain Java", plainVocabulary());
        rules.put("the UUID library stays in Ids", uuidLibraryOnlyInIds());
        rules.put("only the policy engine builds an Allow", onlyPolicyAllows());
        rules.put("the application's assembly is imported by nothing else of the gateway", assemblyIsOnTop());
        rules.put("packages are named for what they are about", speakingPackages());
        rules.put("nothing but the command line prints to the terminal", nobodyPrints());
        rules.put("each resource method names its action", resourceMethodsNameTheirAction());
        rules.put("each resource method is served", resourceMethodsArePublic());
        return rules;
    }

    /** Rules over the classes of all tests. */
    Map<String, ArchRule> overTests() {
        return Map.of("what looks like a test is run as one", testsAreAnnotated());
    }

    private String under(String feature) {
        return root + "." + feature + "..";
    }

    private ArchRule knowsOnly(String feature, String... others) {
        String[] allowed = new String[others.length + 1];
        allowed[0] = under(feature);
        for (int i = 0; i < others.length; i++) {
            allowed[i + 1] = under(others[i]);
        }
        DescribedPredicate<JavaClass> foreign = resideInAPackage(root + "..")
                .and(not(resideInAnyPackage(allowed)))
                .as("elsewhere in the plane");
        return noClasses()
                .that()
                .resideInAPackage(under(feature))
                .should()
                .dependOnClassesThat(foreign)
                .because(
                        "the three middle modules return values instead of calling each other; the gateway joins them");
    }

    private ArchRule plainVocabulary() {
        return classes()
                .that()
                .resideInAPackage(under("vocabulary"))
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(under("vocabulary"), "java..", "org.jspecify..", "com.github.f4b6a3.uuid..")
                .because("every module carries what the vocabulary imports");
    }

    private ArchRule uuidLibraryOnlyInIds() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .and()
                .haveNameNotMatching(".*\\.vocabulary\\.Ids")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("com.github.f4b6a3.uuid..")
                .because("identifiers are made in one place");
    }

    private ArchRule onlyPolicyAllows() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .and()
                .resideOutsideOfPackage(under("policy"))
                .and(not(describe("Allow itself", (JavaClass type) -> type.isEquivalentTo(Decision.Allow.class))))
                .should()
                .callConstructorWhere(describe(
                        "of Decision.Allow", call -> call.getTargetOwner().isEquivalentTo(Decision.Allow.class)))
                .because("whoever can build an Allow can run code without a decision");
    }

    private ArchRule assemblyIsOnTop() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .and()
                .resideOutsideOfPackage(under("gateway.app"))
                .should()
                .dependOnClassesThat()
                .resideInAPackage(under("gateway.app"))
                .because("the assembly knows everything, so nothing may know the assembly");
    }

    private ArchRule speakingPackages() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .should()
                .resideInAnyPackage(
                        "..util..", "..utils..", "..impl..", "..model..", "..service..", "..common..", "..helper..")
                .because("a package is named for a feature, not for a kind of class");
    }

    private ArchRule nobodyPrints() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .and()
                .resideOutsideOfPackages(under("gateway.cli"))
                .should()
                .accessFieldWhere(describe(
                        "System.out or System.err",
                        access -> access.getTargetOwner().isEquivalentTo(System.class)
                                && Set.of("out", "err").contains(access.getName())))
                .because("a server logs; only the command line talks to a terminal");
    }

    private static DescribedPredicate<JavaMethod> answerHttp() {
        return describe(
                "answer HTTP requests",
                method -> method.getAnnotations().stream()
                        .anyMatch(annotation -> annotation.getRawType().isAnnotatedWith(RESOURCE_METHOD)));
    }

    private ArchRule resourceMethodsArePublic() {
        return methods()
                .that(answerHttp())
                .should()
                .bePublic()
                .because("others are in the OpenAPI document, but calls to them are answered with 404");
    }

    private ArchRule resourceMethodsNameTheirAction() {
        ArchCondition<JavaMethod> nameTheirAction = new ArchCondition<>("carry @PlaneAction or @Tokenless") {
            @Override
            public void check(JavaMethod method, ConditionEvents events) {
                boolean named = method.isAnnotatedWith("io.aiel.plane.gateway.http.PlaneAction")
                        || method.isAnnotatedWith("io.aiel.plane.gateway.http.Tokenless");
                events.add(new SimpleConditionEvent(
                        method, named, method.getFullName() + (named ? " names" : " does not name") + " its action"));
            }
        };
        return methods()
                .that(answerHttp())
                .should(nameTheirAction)
                .because("a method without an action is denied to everybody, so one without is a mistake");
    }

    /** Whoever writes a test and forgets the annotation has a test that never fails. */
    private ArchRule testsAreAnnotated() {
        DescribedPredicate<JavaMethod> looksLikeATest = describe(
                "look like tests",
                method -> method.getRawReturnType().getName().equals("void")
                        && method.getRawParameterTypes().isEmpty()
                        && !method.getModifiers().contains(JavaModifier.PRIVATE)
                        && !method.getModifiers().contains(JavaModifier.STATIC)
                        && !method.getModifiers().contains(JavaModifier.SYNTHETIC)
                        && method.getOwner().getSimpleName().endsWith("Test")
                        && method.getOwner().getInterfaces().isEmpty());
        ArchCondition<JavaMethod> beAnnotated = new ArchCondition<>("carry an annotation of the test framework") {
            @Override
            public void check(JavaMethod method, ConditionEvents events) {
                boolean annotated = method.getAnnotations().stream()
                        .anyMatch(annotation ->
                                annotation.getRawType().getPackageName().startsWith("org.junit"));
                events.add(new SimpleConditionEvent(
                        method, annotated, method.getFullName() + (annotated ? " is" : " is not") + " annotated"));
            }
        };
        return methods().that(looksLikeATest).should(beAnnotated);
    }

    /** The packages of {@code classes} below the root that do not say that nothing in them is null unless marked. */
    Set<String> packagesWithoutNullMarked(JavaClasses classes) {
        Set<String> without = new java.util.TreeSet<>();
        for (JavaClass type : classes) {
            JavaPackage owner = type.getPackage();
            if ((owner.getName() + ".").startsWith(root + ".") && !owner.isAnnotatedWith(NullMarked.class)) {
                without.add(owner.getName());
            }
        }
        return without;
    }
}
