# Which role may do what. docs/reference/policy.md has this as a table; a test compares the two.
#
# A function from the action, with lists: OPA's wasm makes each set and object of the source anew for each question, and
# hashing a whole table of roles took more than a quarter of a decision's time.
package plane.authz

# The roles of the principal that grant the action. An action that is not listed below is denied to everybody, admin
# included.
granting_roles := [role |
	some role in roles_of(input.action)
	role in input.principal.roles
]

roles_of("audit.read") := ["auditor", "admin"]

roles_of("capability.read") := everybody

roles_of("deployment.create") := ["developer", "operator", "admin"]

roles_of("deployment.read") := everybody

roles_of("execution.cancel") := ["invoker", "developer", "operator", "admin"]

roles_of("execution.invoke") := ["invoker", "developer", "admin"]

roles_of("execution.read") := everybody

roles_of("files.read") := ["viewer", "developer", "operator", "admin"]

roles_of("files.write") := ["developer", "admin"]

roles_of("integration.check") := ["invoker", "developer", "operator", "admin"]

roles_of("integration.invoke") := ["invoker", "developer", "admin"]

roles_of("integration.read") := everybody

roles_of("integration.write") := ["operator", "admin"]

roles_of("memory.read") := ["viewer", "invoker", "developer", "operator", "admin"]

roles_of("memory.write") := ["invoker", "developer", "admin"]

roles_of("principal.create") := ["admin"]

roles_of("principal.read") := ["operator", "auditor", "admin"]

roles_of("project.create") := ["admin"]

roles_of("project.read") := everybody

roles_of("snapshot.create") := ["developer", "admin"]

roles_of("snapshot.read") := everybody

roles_of("tenant.create") := ["admin"]

roles_of("tenant.read") := everybody

roles_of("token.create") := ["admin"]

roles_of("token.read") := ["operator", "auditor", "admin"]

roles_of("token.revoke") := ["admin"]

roles_of("workspace.create") := ["admin"]

roles_of("workspace.read") := everybody

everybody := ["viewer", "invoker", "developer", "operator", "auditor", "admin"]
