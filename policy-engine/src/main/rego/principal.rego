# What limits the principal whatever its roles are: its kind, its token's scopes, the borders it is confined to.
package plane.authz

# The code of an execution may use memory and integrations, as far as the roles of whoever it runs for allow it, and nothing else.
denials contains "an execution may not do this" if {
	input.principal.kind == "execution"
	not input.action in ["memory.read", "memory.write", "integration.read", "integration.invoke"]
}

denials contains "the kind of the principal is not known" if not known_kind

known_kind if input.principal.kind in ["user", "service", "execution"]

# Scopes

denials contains "the token's scopes do not cover this action" if {
	not scope_covers
	not own_token
}

scope_covers if input.action in input.principal.scopes

scope_covers if {
	not platform_action
	"*" in input.principal.scopes
}

scope_covers if {
	not platform_action
	concat("", [area, ".*"]) in input.principal.scopes
}

scope_covers if {
	platform_action
	"platform.*" in input.principal.scopes
}

area := split(input.action, ".")[0]

# What concerns the platform and not one tenant is never covered by `*`, and by its own name only together with the
# scope `platform.*`.
platform_action if area == "platform"

platform_action if input.action == "tenant.create"

denials contains "the token lacks the scope platform.*" if {
	platform_action
	not "platform.*" in input.principal.scopes
}

# Whoever holds a token may end it, or look at it, whatever it is limited to: a limited token must not live longer for that.
own_token if {
	input.action in ["token.read", "token.revoke"]
	input.resource.tenant == input.principal.tenant
	input.resource.name == input.principal.token_id
	input.principal.kind in ["user", "service"]
}

# Borders

denials contains "the resource belongs to another tenant" if not same_tenant

same_tenant if input.resource.tenant == input.principal.tenant

denials contains "the token is confined to another workspace" if {
	not confined_to_workspace_ok
	not own_token
}

confined_to_workspace_ok if input.principal.workspace == null

confined_to_workspace_ok if {
	input.principal.workspace != null
	input.principal.workspace == input.resource.workspace
}

denials contains "the token is confined to another project" if {
	not confined_to_project_ok
	not own_token
}

confined_to_project_ok if input.principal.project == null

confined_to_project_ok if {
	input.principal.project != null
	input.principal.project == input.resource.project
}
