import { type FormEvent, useState } from 'react';
import { useSession } from '../session/drover-context.ts';
import { signOut, switchTenant } from '../session/session-store.ts';
import { strings } from '../strings.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon, Logo } from '../ui/icons.tsx';
import { to } from './place.ts';
import { chooseTheme, THEMES, type Theme, useTheme } from './theme.ts';

const { shell: t } = strings;
const PAGES = ['batches', 'imports', 'upload', 'data', 'bulk', 'webhooks', 'health'] as const;

/** @param here the first part of the present path. */
export function Navigation({ here }: { here: string }) {
  return (
    <header className="side">
      <a className="brand" href={to(['batches'])}>
        <Logo />
        <span>{strings.product}</span>
      </a>
      <nav aria-label={t.navigation}>
        <ul>
          {PAGES.map((page) => (
            <li key={page}>
              <a aria-current={here === page ? 'page' : undefined} className="nav-link" href={to([page])}>
                <Icon name={page} />
                <span>{t[page]}</span>
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div className="side-foot">
        <Tenant />
        <ThemeChoice />
        <a className="nav-link nav-docs" href="docs" rel="noreferrer" target="_blank">
          <Icon name="docs" />
          <span>{t.docs}</span>
        </a>
        <SignOut />
      </div>
    </header>
  );
}

function ThemeChoice() {
  const theme = useTheme();
  return (
    <label className="side-choice">
      <span>{t.theme}</span>
      <select onChange={(event) => chooseTheme(event.target.value as Theme)} value={theme}>
        {THEMES.map((each) => (
          <option key={each} value={each}>
            {t.themes[each]}
          </option>
        ))}
      </select>
    </label>
  );
}

function SignOut() {
  const { requiresToken } = useSession();
  if (!requiresToken) return <p className="small muted side-note">{t.noToken}</p>;
  return (
    <button className="nav-link nav-out" onClick={signOut} type="button">
      <Icon name="out" />
      <span>{t.signOut}</span>
    </button>
  );
}

/** The tenant that is looked at. A token of a tenant sees no other. */
function Tenant() {
  const { tenant, scope } = useSession();
  const [isOpen, setIsOpen] = useState(false);
  if (scope === 'tenant')
    return (
      <p className="side-choice">
        <span>{t.tenant}</span>
        <b>{tenant}</b>
      </p>
    );
  return (
    <p className="side-choice">
      <span>{t.tenant}</span>
      <button
        aria-label={`${t.switchTenant}: ${tenant}`}
        className="button tenant"
        onClick={() => setIsOpen(true)}
        type="button"
      >
        {tenant}
      </button>
      {isOpen && <TenantDialog onClose={() => setIsOpen(false)} tenant={tenant} />}
    </p>
  );
}

function TenantDialog({ tenant, onClose }: { tenant: string; onClose: () => void }) {
  const [name, setName] = useState(tenant);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onClose();
    switchTenant(name.trim() || null);
  };
  return (
    <Dialog onClose={onClose} title={t.switchTenant}>
      <form className="form" onSubmit={submit}>
        <label className="field">
          <span>{t.switchTo}</span>
          <input autoComplete="off" onChange={(event) => setName(event.target.value)} spellCheck={false} value={name} />
        </label>
        <div className="dialog-foot">
          <button className="button button-main" type="submit">
            {t.switch}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
