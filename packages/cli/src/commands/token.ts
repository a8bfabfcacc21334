import { type Command, InvalidArgumentError, Option } from 'commander';
import { SignJWT } from 'jose';
import type { ProgramParts } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { addCommand } from './add-command.ts';

interface TokenFlags {
  readonly platform: string;
  readonly scope: 'tenant' | 'platform';
  readonly subject?: string;
  readonly expires: string;
}

/** `drover token` */
export function addTokenCommand(program: Command, parts: ProgramParts): void {
  addCommand<TokenFlags>(program, parts, {
    usage: 'token',
    summary: 'Make a token for development, signed with the secret of the service',
    more: 'The secret is read from JWT_SECRET, and JWT_ISSUER and JWT_AUDIENCE if they are set: as the service has them. In production, tokens are the business of an identity provider.',
    examples: [
      'export DROVER_TOKEN=$(JWT_SECRET=… drover token --tenant acme)',
      'JWT_SECRET=… drover token --scope platform --expires 15m',
    ],
    options: (command) =>
      command
        .option('--platform <platform>', 'platform of the token', 'default')
        .addOption(
          new Option('--scope <scope>', 'how far it reaches: one tenant, or the platform with its schema definitions')
            .choices(['tenant', 'platform'])
            .default('tenant'),
        )
        .option('--subject <subject>', 'whom it is for')
        .option('--expires <time>', 'how long it is valid: 15m, 8h, 30d', toDuration, '8h'),
    run: async ({ output, connection }, _, { platform, scope, subject, expires }) => {
      const { JWT_SECRET: secret, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = process.env;
      if (!secret) throw new UsageError('JWT_SECRET is not set: the secret of the service');
      const tenant = connection.tenant ?? (scope === 'tenant' ? 'default' : undefined);
      const token = new SignJWT({ platform, scope, ...(tenant !== undefined && { tenant }) })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuedAt()
        .setExpirationTime(expires);
      if (subject !== undefined) token.setSubject(subject);
      if (issuer) token.setIssuer(issuer);
      if (audience) token.setAudience(audience);
      const signed = await token.sign(new TextEncoder().encode(secret));
      await output.write(output.form === 'text' ? `${signed}\n` : `${JSON.stringify({ token: signed })}\n`);
      return EXIT.done;
    },
  });
}

function toDuration(value: string): string {
  if (/^[1-9]\d{0,4}[smhd]$/.test(value)) return value;
  throw new InvalidArgumentError('a number with s, m, h or d');
}
