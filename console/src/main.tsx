import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { startLanguage } from './i18n/i18n';
import './styles/colours.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/layout.css';

const root = document.getElementById('root');
if (root) {
  // The first paint waits for the words of one language, nothing else.
  await startLanguage();
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
