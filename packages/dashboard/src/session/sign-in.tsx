import { type FormEvent, useState } from 'react';
import { strings } from '../strings.ts';
import { Logo } from '../ui/icons.tsx';
import { signIn } from './session-store.ts';

const { signIn: t } = strings;

/** What can be sent as a bearer token (RFC 6750, section 2.1). */
const TOKEN = /^[A-Za-z0-9._~+/=-]+$/;

/** @param isExpired there was a token, which is not accepted. */
export function SignIn({ isExpired }: { isExpired: boolean }) {
  const [token, setToken] = useState('');
  const [isMalformed, setIsMalformed] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    // a token copied with its scheme, or broken over lines
    const pasted = token.replace(/^\s*bearer\s+/i, '').replaceAll(/\s/g, '');
    if (TOKEN.test(pasted)) signIn(pasted);
    else setIsMalformed(true);
  };
  return (
    <main className="sign-in">
      <form className="card sign-in-card" onSubmit={submit}>
        <Logo />
        <h1>{t.title}</h1>
        {isExpired || isMalformed ? (
          <p className="notice notice-bad" role="alert">
            {isMalformed ? t.malformed : t.expired}
          </p>
        ) : (
          <p className="muted">{t.explanation}</p>
        )}
        <label className="field">
          <span>{t.token}</span>
          <textarea
            autoComplete="off"
            className="mono"
            name="token"
            onChange={(event) => setToken(event.target.value)}
            required
            rows={4}
            spellCheck={false}
            value={token}
          />
        </label>
        <button className="button button-main" disabled={token.trim() === ''} type="submit">
          {t.submit}
        </button>
        <p className="small muted">{t.kept}</p>
      </form>
    </main>
  );
}
