import lit from "eslint-plugin-lit";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "target/", "www/engine/", "test-results/", "fuzz/"] },
  ...tseslint.configs.strict,
  lit.configs["flat/all"],
  {
    rules: {
      eqeqeq: "error",
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "prefer-const": "error",
      "object-shorthand": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      // What is taken out of an object so that the rest goes on.
      "@typescript-eslint/no-unused-vars": ["error", { varsIgnorePattern: "^_$", ignoreRestSiblings: true }],
      // Values of templates: the page has one style sheet and shows no text of others as markup.
      "lit/no-template-map": "off",
      "lit/no-template-bind": "off",
      "lit/no-template-arrow": "off",
      "lit/no-this-assign-in-render": "off",
      "lit/quoted-expressions": ["error", "never"],
      "lit/attribute-names": "off",
    },
  },
  { files: ["www/src/**"], rules: { "@typescript-eslint/explicit-function-return-type": ["error", { allowExpressions: true }] } },
  // What is measured is printed.
  { files: ["tests/browser/*.bench.ts"], rules: { "no-console": "off" } },
);
