/** Text as one word of a shell script. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
