package io.aiel.plane.policy;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** What a member of the policy input means; the JSON Schema is generated from it. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
@interface Described {
    /** One sentence for whoever writes a policy. */
    String value();

    /** The only values there are; empty when there are others. */
    String[] oneOf() default {};

    /** JSON Schema's {@code pattern}; empty when any text may come. */
    String pattern() default "";

    /** Whether any JSON may stand here. */
    boolean anyJson() default false;
}
