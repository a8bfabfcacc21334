import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

const MORE = `Prints the script that completes commands and options.

Examples:
  $ echo 'source <(drover complete bash)' >> ~/.bashrc
  $ echo 'source <(drover complete zsh)' >> ~/.zshrc
  $ drover complete fish > ~/.config/fish/completions/drover.fish`;

/** Adds `drover complete SHELL`, which also answers the script's questions. */
export function addCompletion(program: Command): void {
  tab(program);
  const command = program.commands.find((one) => one.name() === 'complete');
  command?.summary('Print the completion script of bash, zsh, fish or powershell').description(MORE);
}
