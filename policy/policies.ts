import type {
  PolicyConfigSchema,
  PolicyResource,
  ResourceValidationArgs,
  ResourceValidationPolicy,
  StackValidationPolicy,
} from "@pulumi/policy";
import { plain, type Resource, type Tree } from "./resource";
import { isNamed, type Rule } from "./rule";
import { isThrowAway } from "./throwAway";

/** Config of every rule, besides `enforcementLevel`, which the engine adds. */
interface Config {
  readonly except?: readonly string[];
  readonly throwAway?: boolean;
}

const configSchema: PolicyConfigSchema = {
  properties: {
    except: {
      type: "array",
      items: { type: "string" },
      description: "Logical names of resources to which the rule does not apply; `*` matches anything.",
    },
    throwAway: {
      type: "boolean",
      description:
        "Whether the stack holds nothing worth keeping. Unless given: true if kazoo:protect is false and all of kazoo:clusters are sandboxes or Docker Engines.",
    },
  },
};

/** A rule in the engine's form. */
export function policyOf(rule: Rule): ResourceValidationPolicy | StackValidationPolicy {
  const { name, description, level: enforcementLevel } = rule;
  const about = { name, description, enforcementLevel, configSchema };
  const context = ({ throwAway = isThrowAway() }: Config) => ({ throwAway });
  const applies = (resource: Resource, { except = [] }: Config) =>
    !except.some((pattern) => isNamed(resource, pattern));
  if ("resource" in rule) {
    return {
      ...about,
      validateResource: (args, report) => {
        const resource = seen(args);
        const config = args.getConfig<Config>();
        if (!applies(resource, config)) return;
        for (const message of rule.resource(resource, context(config))) report(message);
      },
    };
  }
  return {
    ...about,
    validateStack: (args, report) => {
      const resources = args.resources.map(seen);
      const config = args.getConfig<Config>();
      const left = new Set(resources.filter((resource) => applies(resource, config)).map(({ urn }) => urn));
      for (const { urn, message } of rule.stack(resources, context(config))) {
        if (left.has(urn)) report(message, urn);
      }
    },
  };
}

function seen({ type, name, urn, props, opts }: ResourceValidationArgs | PolicyResource): Resource {
  return {
    type,
    name,
    urn,
    props: plain(props) as Tree,
    protect: opts.protect,
    ...(opts.parent === undefined ? {} : { parent: opts.parent }),
  };
}
