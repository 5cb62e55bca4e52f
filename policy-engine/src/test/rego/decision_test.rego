# Run by `opa test policy-engine/src/main/rego policy-engine/src/test/rego`, and by the build where OPA can be had.
# The wide tables are in ../policy-cases and run through OPA and through the plane's own engine alike.
package plane.authz_test

import data.plane.authz

base := {
	"version": 1,
	"principal": {
		"id": "prn_1",
		"kind": "user",
		"tenant": "ten_1",
		"token_id": "tok_1",
		"scopes": ["*"],
		"roles": ["invoker"],
		"workspace": null,
		"project": null,
		"on_behalf_of": null,
	},
	"action": "execution.invoke",
	"resource": {
		"tenant": "ten_1",
		"workspace": "ws_1",
		"project": "proj_1",
		"name": "tool:greet",
		"environment": "production",
		"snapshot": {"digest": "sha256:0", "snapshot_id": "0"},
		"bundle": "minimal",
		"capability": null,
	},
	"arguments": null,
	"context": {"requested": {"network": false, "subprocess": false, "timeout_ms": 1000}},
}

changed(change) := object.union(base, change)

test_an_invoker_may_invoke if {
	authz.decision.allow with input as base
}

test_nothing_is_allowed_without_input if {
	not authz.decision.allow with input as {}
	count(authz.decision.reasons) > 0 with input as {}
}

test_a_denial_always_has_a_reason if {
	every change in [
		{"action": "files.write"},
		{"principal": {"kind": "execution"}},
		{"principal": {"scopes": []}},
		{"resource": {"tenant": "ten_2"}},
		{"context": {"requested": {"network": true}}},
	] {
		answer := authz.decision with input as changed(change)
		not answer.allow
		count(answer.reasons) > 0
	}
}

test_an_action_that_is_not_listed_is_granted_to_nobody if {
	everything := changed({"action": "plane.explode", "principal": {"roles": authz.everybody, "scopes": ["plane.explode"]}})
	not authz.decision.allow with input as everything
}

test_a_grant_in_data_opens_network_and_nothing_else if {
	wish := changed({"context": {"requested": {"network": true, "subprocess": true}}})
	answer := authz.decision with input as wish with data.grants as {"network": {"proj_1": ["api.example.com:443"]}}
	not answer.allow
	answer.reasons == ["subprocess is not granted to this project"]
}

test_the_answer_has_exactly_three_members if {
	object.keys(authz.decision) == {"allow", "reasons", "obligations"} with input as base
}
