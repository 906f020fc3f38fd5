import { PolicyPack } from "@pulumi/policy";
import { policyOf } from "./policies";
import { rules } from "./rules";

new PolicyPack("kazoo", { policies: rules.map(policyOf) });
