import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { SignedIn } from './session/signed-in.tsx';
import { applyTheme } from './shell/theme.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/components.css';
import './styles/pages.css';

applyTheme();
const root = document.getElementById('root');
if (root === null) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <SignedIn />
  </StrictMode>,
);
