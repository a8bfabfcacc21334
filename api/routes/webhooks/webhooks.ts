import { z } from '@hono/zod-openapi';
import { totalText } from '../../../domain/batch/total.ts';
import { MAX_PAGE_LIMIT } from '../../../domain/limits.ts';
import {
  createWebhook,
  deleteWebhook,
  rotateSecret,
  updateWebhook,
} from '../../../services/webhooks/manage-webhooks.ts';
import { checkUrl } from '../../../services/webhooks/webhook-url.ts';
import { findWebhook, listWebhooks, type WebhookDocument } from '../../../store/webhooks/webhooks.ts';
import { badRequest, notFound } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';
import type { ListPlace } from '../../http/cursors.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse, pageQuery } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import {
  changedWebhookBody,
  newWebhookBody,
  toWebhookView,
  Webhook,
  WebhookList,
  WebhookWithSecret,
} from './webhook-schemas.ts';

const tags = ['Webhooks'];
const path = '/api/webhooks/{webhookId}';
export const webhookParams = z.object({ webhookId: z.string() });

const noWebhook = (webhookId: string) => notFound(`there is no webhook "${webhookId}"`);

/** The webhook that a path names. @throws DroverError 404 */
export async function webhookOf(c: ApiContext, webhookId: string): Promise<WebhookDocument> {
  const webhook = await findWebhook(c.var.services.database, c.var.scope, webhookId);
  if (webhook === null) throw noWebhook(webhookId);
  return webhook;
}

/** @throws DroverError 400 naming why the URL is refused. */
function urlOf(c: ApiContext, url: string): { readonly url: string; readonly isLoopback: boolean } {
  const { config, verifyToken } = c.var.services;
  const rules = { isLocal: verifyToken === null, allowPrivate: config.WEBHOOK_ALLOW_PRIVATE };
  const checked = checkUrl(url, rules);
  if (checked.fault !== undefined) throw badRequest(`url: ${checked.fault}`);
  return checked;
}

/** Webhooks of a tenant (docs/webhooks.md). */
export function webhookRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/webhooks',
      operationId: 'createWebhook',
      tags,
      summary: 'Create a webhook',
      description:
        'The secret is in this answer alone. Every event of the tenant from this answer on, which takes a second, is delivered.',
      body: newWebhookBody,
      bodyHint: ': {"url": "https://…", "events": ["batch.completed"]}',
      responses: { 201: jsonResponse('The webhook with its secret', WebhookWithSecret), ...faults(409, 413, 415) },
    },
    async (c, { body }) => {
      const { events, description } = body;
      const { webhook, secret } = await createWebhook(c.var.services, c.var.scope, {
        ...urlOf(c, body.url),
        events,
        description,
        createdBy: c.var.createdBy,
      });
      return c.json(success('Webhook created', { ...toWebhookView(webhook), secret }), 201);
    },
  );
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/webhooks',
      operationId: 'listWebhooks',
      tags,
      summary: 'List webhooks, newest first',
      description: 'Those of the tenant, without their secrets.',
      query: z.object(pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 })),
      responses: { 200: jsonResponse('A page of webhooks', WebhookList), ...faults() },
    },
    async (c, { query: { cursor, limit } }) => {
      const { database, cursors } = c.var.services;
      const place: ListPlace = { list: 'webhooks', filter: [] };
      const after = await cursors.decode(c.var.scope, place, cursor);
      const { webhooks, total, next } = await listWebhooks(database, c.var.scope, { after, limit });
      const following = await cursors.encode(c.var.scope, place, next);
      return c.json(
        success(totalText(total, 'webhook', 'webhooks'), {
          results: webhooks.map(toWebhookView),
          pagination: paginationOf(total, following),
        }),
      );
    },
  );
  defineRoute(
    api,
    {
      method: 'get',
      path,
      operationId: 'getWebhook',
      tags,
      params: webhookParams,
      summary: 'One webhook',
      description: 'Without its secret. A webhook that is disabled says why.',
      responses: { 200: jsonResponse('The webhook', Webhook), ...faults(404) },
    },
    async (c, { params: { webhookId } }) => c.json(success('Webhook', toWebhookView(await webhookOf(c, webhookId)))),
  );
  changeRoutes(api);
}

function changeRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'patch',
      path,
      operationId: 'changeWebhook',
      tags,
      params: webhookParams,
      summary: 'Change a webhook, disable it, or enable it again',
      description: 'What is left out stays. Messages that are not delivered when it is disabled are given up.',
      body: changedWebhookBody,
      bodyFields: ['url', 'events', 'description', 'disabled'],
      responses: { 200: jsonResponse('The webhook', Webhook), ...faults(404, 413, 415) },
    },
    async (c, { params: { webhookId }, body }) => {
      const { url, events, description, disabled } = body;
      const changed = await updateWebhook(c.var.services, c.var.scope, webhookId, {
        ...(url !== undefined && urlOf(c, url)),
        ...(events && { events }),
        ...(description !== undefined && { description }),
        ...(disabled !== undefined && { disabled }),
      });
      if (changed === null) throw noWebhook(webhookId);
      return c.json(success('Webhook changed', toWebhookView(changed)));
    },
  );
  defineRoute(
    api,
    {
      method: 'delete',
      path,
      operationId: 'deleteWebhook',
      tags,
      params: webhookParams,
      summary: 'Remove a webhook',
      description: 'Messages that are not delivered yet are given up.',
      responses: {
        200: jsonResponse('Removed', enveloped(z.object({ webhookId: z.string() }))),
        ...faults(404),
      },
    },
    async (c, { params: { webhookId } }) => {
      const webhook = await webhookOf(c, webhookId);
      if (!(await deleteWebhook(c.var.services, webhook, c.var.scope))) throw noWebhook(webhookId);
      return c.json(success('Webhook deleted', { webhookId }));
    },
  );
  defineRoute(
    api,
    {
      method: 'post',
      path: `${path}/rotate-secret`,
      operationId: 'rotateWebhookSecret',
      tags,
      params: webhookParams,
      summary: 'Replace the secret of a webhook',
      description: 'The new secret is in this answer alone. The replaced one signs beside it for 24 h.',
      responses: { 200: jsonResponse('The webhook with its new secret', WebhookWithSecret), ...faults(404, 409) },
    },
    async (c, { params: { webhookId } }) => {
      const { webhook, secret } = await rotateSecret(c.var.services, await webhookOf(c, webhookId));
      return c.json(success('Secret replaced', { ...toWebhookView(webhook), secret }));
    },
  );
}
