// Every page: its address, its module, its place in the navigation, and the permission it needs.
import { lazy, type ComponentType, type LazyExoticComponent } from 'react';
import type { Key } from '../i18n/i18n';
import type { IconName } from '../ui/Icon';

export interface PageEntry {
  path: string;
  component: LazyExoticComponent<ComponentType>;
  /** The permission without which the page is not offered. */
  needs?: string;
  nav?: { label: Key; icon: IconName };
  /** The address of the entry in the navigation that is marked on this page. */
  under?: string;
}

export const PAGES: readonly PageEntry[] = [
  {
    path: '/',
    component: lazy(() => import('./overview/OverviewPage')),
    nav: { label: 'nav.overview', icon: 'overview' },
  },
  {
    path: '/tags',
    component: lazy(() => import('./tags/TagsPage')),
    needs: 'tag:read',
    nav: { label: 'nav.tags', icon: 'tags' },
  },
  { path: '/tag', component: lazy(() => import('./tag/TagPage')), needs: 'tag:read', under: '/tags' },
  {
    path: '/trend',
    component: lazy(() => import('./trend/TrendPage')),
    needs: 'sample:read',
    nav: { label: 'nav.trend', icon: 'trend' },
  },
  {
    path: '/devices',
    component: lazy(() => import('./devices/DevicesPage')),
    needs: 'device:read',
    nav: { label: 'nav.devices', icon: 'devices' },
  },
  {
    path: '/device',
    component: lazy(() => import('./devices/DevicePage')),
    needs: 'device:read',
    under: '/devices',
  },
  {
    path: '/devices/new',
    component: lazy(() => import('./device-wizard/NewDevicePage')),
    needs: 'device:write',
    under: '/devices',
  },
  {
    path: '/device/edit',
    component: lazy(() => import('./device-edit/EditDevicePage')),
    needs: 'device:write',
    under: '/devices',
  },
  {
    path: '/device/points',
    component: lazy(() => import('./device-edit/EditPointsPage')),
    needs: 'device:write',
    under: '/devices',
  },
  {
    path: '/templates',
    component: lazy(() => import('./templates/TemplatesPage')),
    needs: 'device:read',
    under: '/devices',
  },
  {
    path: '/sql',
    component: lazy(() => import('./sql/SqlPage')),
    needs: 'sample:read',
    nav: { label: 'nav.sql', icon: 'query' },
  },
  {
    path: '/broker',
    component: lazy(() => import('./broker/BrokerPage')),
    needs: 'device:read',
    nav: { label: 'nav.broker', icon: 'broker' },
  },
  {
    path: '/opcua',
    component: lazy(() => import('./opcua/OpcUaPage')),
    needs: 'node:read',
    nav: { label: 'nav.opcua', icon: 'server' },
  },
  {
    path: '/historian',
    component: lazy(() => import('./historian/HistorianPage')),
    needs: 'retention:read',
    nav: { label: 'nav.historian', icon: 'storage' },
  },
  {
    path: '/identify',
    component: lazy(() => import('./identify/IdentifyPage')),
    needs: 'identifier:read',
    nav: { label: 'nav.identify', icon: 'identify' },
  },
  {
    path: '/audit',
    component: lazy(() => import('./audit/AuditPage')),
    needs: 'audit:read',
    nav: { label: 'nav.audit', icon: 'audit' },
  },
  {
    path: '/users',
    component: lazy(() => import('./access/UsersPage')),
    needs: 'user:read',
    nav: { label: 'nav.users', icon: 'access' },
  },
  {
    path: '/tokens',
    component: lazy(() => import('./access/TokensPage')),
    needs: 'token:read',
    nav: { label: 'nav.tokens', icon: 'key' },
  },
  { path: '/account', component: lazy(() => import('./account/AccountPage')) },
];
