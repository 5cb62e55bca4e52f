# The default policy of the plane: the entry point.
#
# An action is allowed when somebody says so (a role of the principal grants it, or it is the bearer's own token) and
# nobody says no (no denial below holds). Both halves must be present in the answer's `allow`; whatever is undefined,
# unknown or misspelt therefore ends in a denial. docs/reference/policy.md explains input and output.
package plane.authz

default allowed := false

allowed if {
	granted
	count(denials) == 0
}

default granted := false

granted if count(granting_roles) > 0

granted if own_token

decision := {
	"allow": allowed,
	"reasons": reasons,
	"obligations": obligations,
}

reasons := [concat("", ["granted: ", how])] if {
	allowed
} else := sort([reason | some reason in denials])

how := "own token" if {
	own_token
} else := concat("", ["role ", concat(", ", sort(granting_roles))])

denials contains "the principal has no role that grants this action" if not granted

# Obligations are demanded of an execution alone.
default obligations := {}

obligations := {
	"timeout_ms": timeout_ms_max,
	"network": network_obligation,
	"subprocess": subprocess_granted,
} if {
	allowed
	input.action == "execution.invoke"
}
