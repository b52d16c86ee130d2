/** What floats above the page; one thing at a time. */
export const dialogs = $state<{ open: "switch" | "search" | "help" | "" }>({ open: "" });
