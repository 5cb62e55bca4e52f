# Which role may do what. docs/reference/policy.md has this as a table; a test compares the two.
package plane.authz

readings := {
	"capability.read",
	"deployment.read",
	"execution.read",
	"project.read",
	"snapshot.read",
	"tenant.read",
	"workspace.read",
}

viewing := readings | {"files.read"}

invoking := readings | {
	"execution.cancel",
	"execution.invoke",
}

actions_of_role := {
	"viewer": viewing,
	"invoker": invoking,
	"developer": ((viewing | invoking) | {
		"deployment.create",
		"files.write",
		"snapshot.create",
	}),
	"operator": (viewing | {
		"deployment.create",
		"execution.cancel",
		"principal.read",
		"token.read",
	}),
	"auditor": (readings | {
		"audit.read",
		"principal.read",
		"token.read",
	}),
	"admin": known_actions,
}

# An action that is not listed here is denied to everybody, admin included.
known_actions := (viewing | invoking) | {
	"audit.read",
	"deployment.create",
	"files.write",
	"principal.create",
	"principal.read",
	"project.create",
	"snapshot.create",
	"tenant.create",
	"token.create",
	"token.read",
	"token.revoke",
	"workspace.create",
}
